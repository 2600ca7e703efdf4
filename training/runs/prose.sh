#!/bin/sh
# The checkpoint `prose`, on the texts that `nextchar texts` makes (training/README.md).
#
#     training/runs/prose.sh train --out checkpoints/prose --minutes 45 --epochs 1
#     training/runs/prose.sh validation        lists the files that are held out
#
# TEXTS names the folder with the texts; runs/texts where it is not set.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
texts=${TEXTS:-$here/runs/texts}
[ -d "$texts/prose" ] || {
    echo "$0: $texts/prose: no such folder; .venv/bin/nextchar texts $texts --prose CORPUS makes it" >&2
    exit 2
}

case ${1:-} in
    train)
        shift
        data=$("$here/.venv/bin/nextchar" texts "$texts" --describe prose)
        for folder in "$texts"/prose/train/*; do
            case ${folder##*/} in
                peps | rust-book | nodejs.org | prometheus-docs) set -- "$@" --late "$folder" ;;
                *) set -- "$@" "$folder" ;;
            esac
        done
        exec "$here/.venv/bin/nextchar" train "$@" \
            --validation "$texts/prose/validation" --data "$data"
        ;;
    validation)
        find "$texts/prose/validation" -type f | LC_ALL=C sort
        ;;
    *)
        echo "usage: $0 train [option]… | validation" >&2
        exit 2
        ;;
esac

#!/bin/sh
# The checkpoint `python`, on the texts that `nextchar texts` makes (training/README.md).
#
#     training/runs/python.sh train --out checkpoints/python --minutes 45 --epochs 1
#     training/runs/python.sh validation       lists the standard library's files that are held out
#     training/runs/python.sh packages         lists the files of packages that are held out whole
#
# TEXTS names the folder with the texts; runs/texts where it is not set.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
texts=${TEXTS:-$here/runs/texts}
made() {
    [ -d "$texts/$1" ] || {
        echo "$0: $texts/$1: no such folder; .venv/bin/nextchar texts $texts --only python makes it" >&2
        exit 2
    }
}

case ${1:-} in
    train)
        shift
        made python
        data=$("$here/.venv/bin/nextchar" texts "$texts" --describe python)
        for folder in "$texts"/python/train/*; do
            case ${folder##*/} in
                cpython) set -- "$@" --late "$folder" ;;
                *) set -- "$@" "$folder" ;;
            esac
        done
        exec "$here/.venv/bin/nextchar" train "$@" \
            --validation "$texts/python/validation" --data "$data"
        ;;
    validation)
        exec "$here/.venv/bin/nextchar" texts --held-out
        ;;
    packages)
        made packages
        find "$texts/packages/validation" -name '*.py' | LC_ALL=C sort
        ;;
    *)
        echo "usage: $0 train [option]… | validation | packages" >&2
        exit 2
        ;;
esac

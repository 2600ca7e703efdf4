#!/bin/sh
# The checkpoint `python`: the standard library of the Python in .venv.
#
#     training/runs/python.sh train --out checkpoints/python --minutes 80 --threads 1
#     training/runs/python.sh validation            lists the files that are held out
set -eu -f
cd -- "$(dirname -- "$0")/../.."
library=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
version=$(.venv/bin/python -c 'import platform; print(platform.python_version())')
selection="--include *.py --skip test --skip tests --skip idle_test --skip site-packages
    --skip idlelib --skip lib2to3 --skip encodings --skip pydoc_data --minimum 200 --maximum 200000"

case ${1:-} in
    train)
        shift
        # shellcheck disable=SC2086 # the selection is words, and globbing is off
        exec .venv/bin/nextchar train "$library" $selection --data "The standard library of \
CPython $version (Python Software Foundation License 2.0), without its tests, \`idlelib\`, \
\`lib2to3\`, \`encodings\` and \`pydoc_data\`, files of 200 to 200,000 characters." "$@"
        ;;
    validation)
        # shellcheck disable=SC2086
        exec .venv/bin/python -m training.corpus --split validation "$library" $selection
        ;;
    *)
        echo "usage: $0 train [option]… | validation" >&2
        exit 2
        ;;
esac

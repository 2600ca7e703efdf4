#!/bin/sh
# Trains the checkpoint `prose` on a folder with the parts `train` and `validation`
# (training/README.md says which texts); options go to nextchar train.
#
#     training/runs/prose.sh CORPUS --out checkpoints/prose --minutes 62 --threads 1
set -eu
[ $# -ge 1 ] || { echo "usage: $0 CORPUS [option]…: a folder with train and validation" >&2; exit 2; }
corpus=$(CDPATH='' cd -- "$1" && pwd)
shift
cd -- "$(dirname -- "$0")/../.."
exec .venv/bin/nextchar train "$corpus/train" --validation "$corpus/validation" \
    --data "Technical prose in English: The Rust Programming Language (MIT or Apache-2.0), pages of nodejs.org (MIT), the documentation and blog of Prometheus (Apache-2.0), and the Python Enhancement Proposals (public domain or CC0)." \
    "$@"

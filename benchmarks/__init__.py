"""Benchmarks: programs that measure, each run with `python -m benchmarks.NAME`."""

import os

# One thread, for every library that reads these when it is loaded.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

"""Benchmarks: programs that measure, each run with `python -m benchmarks.NAME`."""

import os

# Libraries read these variables when they are loaded; each then uses one thread.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

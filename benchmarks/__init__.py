"""Benchmarks: programs that measure, each run with `python -m benchmarks.NAME`."""

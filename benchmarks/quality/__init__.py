"""What suggestions are worth: the networks here compared with transformers, PPMd, a plain LSTM.

`python -m benchmarks.quality --json F` measures all of them on the same positions of the same
texts; quality.md beside this folder has the figures.
"""

"""Backpropagation through time, written out, and the training step that uses it."""

"""Backpropagation through time, written out, and one step of training by it."""

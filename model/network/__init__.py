"""The network: cells, hashed contexts, and the shape that a config describes."""

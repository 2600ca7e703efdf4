"""The table of the hashed contexts in training."""

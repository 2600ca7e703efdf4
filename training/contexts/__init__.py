"""The table of the hashed contexts, as it is trained."""

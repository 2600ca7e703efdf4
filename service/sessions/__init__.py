"""A session: the rules of what to compute and keep, and its record."""

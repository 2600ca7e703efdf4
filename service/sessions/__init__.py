"""Sessions: the rules of what to compute and keep, their records, and how these are stored."""

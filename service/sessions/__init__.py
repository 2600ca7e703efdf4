"""Sessions: the rules of what to compute and what to keep, their records, and their storage."""

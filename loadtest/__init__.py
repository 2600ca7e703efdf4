"""Simulated typists type real text against a running service; see README.md."""

"""Serves completions over HTTP: sessions, their stores, and the scheduler that batches them."""

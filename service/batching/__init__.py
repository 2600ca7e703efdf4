"""One thread that computes for all requests, many sequences a step."""

"""One thread that computes for all requests and advances many sequences in each step."""

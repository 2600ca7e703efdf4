"""The error that ends a load test with exit status 2 and one line instead of a traceback."""


class LoadTestError(Exception):
    """Says what was wrong, what was expected and what to do, in one line."""

"""A user's mistake: it ends a command with status 2 and one line instead of a traceback."""


class UsageError(Exception):
    """Says what was wrong, what was expected and what to do, in one line."""

"""The error of a peer that is not installed."""

INSTALL = ".venv/bin/pip install -c requirements.lock -e '.[bench]'"


class Missing(Exception):
    """A peer is not installed; the message says in one line how to install it."""

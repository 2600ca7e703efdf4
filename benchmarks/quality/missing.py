"""What is said of a peer that is not installed."""

INSTALL = ".venv/bin/pip install -c requirements.lock -e '.[bench]'"


class Missing(Exception):
    """A peer that is not installed; one line that says how to install it."""

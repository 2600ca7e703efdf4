"""A clock for tests, which stands still until a test sets it."""


class ManualClock:
    """Returns the time that it was last set to, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

"""A clock for tests, which stands still until it is set on."""


class ManualClock:
    """Tells the time that it was last set to, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

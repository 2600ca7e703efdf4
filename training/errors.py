"""What a user may have to be told: each error is one line for a person, and says what to do."""


class TrainingError(Exception):
    """The base of all of them."""


class CorpusError(TrainingError):
    """A text that cannot be read, or a corpus that is too small."""


class ResumeError(TrainingError):
    """A run that cannot begin or go on as asked: another run's file, a base of another shape."""


class QuantizationError(TrainingError):
    """A network that loses too much when it is served in integers."""

"""The errors of training. Each message is one line for the user and says what to do."""


class TrainingError(Exception):
    """The base class of the errors below."""


class CorpusError(TrainingError):
    """A text that cannot be read, or a corpus that is too small."""


class ResumeError(TrainingError):
    """A run that cannot begin or go on: the file is another run's, or the base's shape differs."""


class QuantizationError(TrainingError):
    """A network that loses too many bits a character when it is served in integers."""

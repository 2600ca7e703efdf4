"""The errors that the model package raises; each message is one line for a person."""


class ModelError(Exception):
    """Anything that the model package refuses; the base of all errors here."""


class CheckpointError(ModelError):
    """A checkpoint that is missing, damaged, or of another form than this version reads."""


class TextError(ModelError):
    """A text that has no UTF-8 form: it holds a lone surrogate."""


class PoolFull(ModelError):
    """Every slot of a pool of states is taken."""

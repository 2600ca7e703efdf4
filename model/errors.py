"""The errors that the model package raises; each message is one line for a person."""


class ModelError(Exception):
    """Something that the model package refuses; the base of all errors here."""


class CheckpointError(ModelError):
    """A checkpoint that is missing or damaged, or whose form this version does not read."""


class TextError(ModelError):
    """A text that cannot be spelt: it holds a lone surrogate, or a character without any id."""


class PoolFull(ModelError):
    """Every slot of a pool of states is taken."""

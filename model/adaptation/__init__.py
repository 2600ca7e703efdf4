"""Adaptation to the text at hand: what the text repeats is mixed into the network's distribution.

ADAPTATION.md is the specification. A page holds the window of a text, and finds in it the
candidates: the ids that followed the same contexts before. A small integer network scores by what
factor each candidate is more probable than the recurrent network alone predicts. That scorer is
trained by priming, and its weights are part of the checkpoint.
"""

import warnings
from collections.abc import Sequence
from typing import Any

from model.adaptation import native
from model.adaptation.engine import Cursor, Engine, Floats, Stale
from model.adaptation.index import Ids, Symbols
from model.adaptation.native import NativeEngine
from model.adaptation.page import Page, page_text, window_start
from model.adaptation.parameters import PREFIX, Parameters, from_arrays
from model.adaptation.plain import PlainEngine
from model.checkpoint import Checkpoint
from model.errors import ModelError
from model.runtime.network_output import NetworkOutput
from model.vocabulary import Vocabulary

__all__ = [
    "Adaptation",
    "Cursor",
    "Page",
    "Stale",
    "engine_for",
    "is_primed",
    "page_text",
    "window_start",
]


def is_primed(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has parameters of adaptation."""
    return any(name.startswith(PREFIX) for name in checkpoint.weights)


def engine_for(
    primed: Parameters, vocabulary: Vocabulary, backend: str | None = None
) -> Engine[Any, Any]:
    """The engine for some parameters: in Python for the runtime's backend "numpy", else in C.

    Warns if it is in Python only because the C library was not built.
    """
    symbols = Symbols.of(vocabulary)
    if backend != "numpy":
        if native.library() is not None:
            return NativeEngine(primed, symbols)
        warnings.warn(
            "adaptation was not compiled, so Python computes it: the same answers, much later; "
            "install a C compiler and then this package again",
            RuntimeWarning,
            stacklevel=3,
        )
    return PlainEngine(primed, symbols)


class Adaptation:
    """The adaptation of one checkpoint. Each session has a page; one call mixes for many pages."""

    def __init__(self, checkpoint: Checkpoint, backend: str | None = None) -> None:
        """`backend` is the runtime's: with "numpy" adaptation runs in Python, else in C.

        Raises ModelError where the checkpoint's parameters are missing or damaged.
        """
        self.vocabulary = checkpoint.vocabulary
        try:
            primed = from_arrays(checkpoint.weights, checkpoint.config.hidden)
        except ModelError as error:
            raise ModelError(f"{checkpoint.name}: {error}") from None
        self.engine = engine_for(primed, self.vocabulary, backend)

    def page(self) -> Page:
        """A page of the empty text."""
        return Page(self.engine, self.vocabulary)

    def best(self, cursors: Sequence[Cursor], network_output: NetworkOutput) -> tuple[Ids, Floats]:
        """The most probable id at each cursor, ties to the lowest, and its probability.

        `network_output` is the network's output at the same places.
        """
        return self.engine.best(cursors, network_output)

    def distribution(self, cursors: Sequence[Cursor], network_output: NetworkOutput) -> Floats:
        """The mixed distribution at each cursor, (cursors, vocabulary)."""
        return self.engine.mix(cursors, network_output)

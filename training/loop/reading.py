"""The order in which a run reads its text, epoch after epoch, and the place it has reached."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from model.vocabulary import Vocabulary
from training.loop.streams import EncodedDocuments, StreamLayout, Window, windows
from training.presets import Preset

# The first epoch may be a partial one. It is left out where it would be shorter than this share of
# a whole epoch.
LEAST_PARTIAL_EPOCH = 0.05


class ReadingOrder:
    """Epochs of windows in an order drawn from a seed, and the place that has been reached.

    Every epoch has its own order. The random generator's state at the start of the epoch is kept,
    so that a saved run can draw the same order again and skip the windows that it has read.
    """

    def __init__(
        self, documents: EncodedDocuments, vocabulary: Vocabulary, preset: Preset, seed: int
    ) -> None:
        total = documents.total
        self.streams = max(1, min(preset.streams, total // (2 * preset.window)))
        # An estimate: each piece that a document is cut into adds a start symbol.
        self.steps_per_epoch = (total + total / preset.restart) / (self.streams * preset.window)
        # The number of epochs that have begun, and of those in the whole run. The latter is
        # unknown until `plan` is called.
        self.epochs = 0
        self.planned_epochs: int | None = None
        self._documents = documents
        self._layout = StreamLayout(
            start=vocabulary.start,
            streams=self.streams,
            window=preset.window,
            restart=preset.restart,
            line_end=int(vocabulary.encode("\n")[0]),
            late_shares=preset.late,
        )
        self._rng = np.random.default_rng(seed)
        self._rng_at_epoch: dict[str, Any] | None = None
        self._windows_read = 0
        self._windows_in_first_epoch: int | None = None

    @property
    def within_epoch(self) -> bool:
        """Whether an epoch has begun and is not over."""
        return self._rng_at_epoch is not None

    @property
    def completed(self) -> int:
        """The number of epochs that are over."""
        return self.epochs - self.within_epoch

    @property
    def ids_in_epoch(self) -> int:
        """The number of ids in the epoch up to the end of the next window.

        A window counts as read from the moment that `windows` yields it.
        """
        return (self._windows_read + 1) * self.streams * self._layout.window

    def plan(self, epochs: float) -> None:
        """Plans the number of epochs that there is time for, such as 2.4.

        The tables of contexts are emptied at the start of each epoch, so the last epoch must be a
        whole one. The partial epoch, here 0.4 of one, is therefore the first.
        """
        whole = max(1, math.floor(epochs))
        part = (epochs - whole) * self.steps_per_epoch
        worthwhile = part > LEAST_PARTIAL_EPOCH * self.steps_per_epoch
        if worthwhile and self.epochs <= 1 and not self.completed:
            self._windows_in_first_epoch = max(self._windows_read, round(part))
        self.planned_epochs = whole + (self._windows_in_first_epoch is not None)

    def windows(self) -> Iterator[Window]:
        """The windows that are left in this epoch; a new epoch's windows where none has begun."""
        if self._rng_at_epoch is None:
            self._rng_at_epoch = dict(self._rng.bit_generator.state)
            self.epochs += 1
        self._rng.bit_generator.state = self._rng_at_epoch
        whole_epoch = windows(self._documents, self._layout, self._rng)
        for window in islice(whole_epoch, self._windows_read, None):
            if self.epochs == 1 and self._windows_read == self._windows_in_first_epoch:
                break
            self._windows_read += 1
            yield window
        self._rng_at_epoch, self._windows_read = None, 0

    def to_json(self) -> dict[str, Any]:
        """The place that has been reached; the caller stores `epochs` itself."""
        return {
            "rng": self._rng_at_epoch or self._rng.bit_generator.state,
            "windows": self._windows_read,
            "within": self.within_epoch,
            "readings": self.planned_epochs,
            "first": self._windows_in_first_epoch,
        }

    def go_on(self, epochs: int, place: dict[str, Any]) -> None:
        """Goes on from a place that `to_json` gave."""
        self.epochs = epochs
        self._rng.bit_generator.state = place["rng"]
        self._rng_at_epoch = place["rng"] if place["within"] else None
        self._windows_read = place["windows"]
        self.planned_epochs = place["readings"]
        self._windows_in_first_epoch = place["first"]

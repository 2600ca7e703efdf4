"""One text on its way through a drive: what C is given of it, and what C returns."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from model.adaptation.native import CCursor, NativeIndex
from model.adaptation.page import Page
from model.driving import library as c
from model.errors import ModelError

if TYPE_CHECKING:
    from model.driving.drive import Lane


class LatestEnd(NamedTuple):
    """Where decoding ends at the latest; drive.c says what each of them means."""

    ids: int
    characters: int
    line_ends: tuple[int, int]
    least_first: float
    least: float


class KeptSteps(NamedTuple):
    """The records of some steps, which a later job of the same text may replay."""

    records: bytes
    number: int


NOTHING_KEPT = KeptSteps(b"", 0)


class PagePlace:
    """A page, and the cursor of a job at its end.

    The page is brought to its text by the job. Until then nobody else may use it.
    """

    def __init__(self, page: Page, text: str) -> None:
        """Raises TextError for a text that the vocabulary cannot spell."""
        change = page.change(text)
        assert isinstance(page.index, NativeIndex)
        self.page = page
        self.index = page.index
        self.cursor = CCursor()
        self.length = -1 if change.length is None else change.length
        self.ids = array("q", change.ids.tolist())
        self.read = False


class DriveJob:
    """Absorbs `ids` from the state `start`, and decodes up to `latest_end`.

    The states after each number of ids in `cuts` are read. The first `kept_most` steps of decoding
    are kept. `right` is the probability of the ids that an earlier job has chosen for the same
    suggestion. Raises ModelError for a state that is not of this network's size.
    """

    def __init__(
        self,
        lane: Lane,
        start: bytes,
        ids: Sequence[int],
        cuts: Sequence[int],
        place: PagePlace | None,
        latest_end: LatestEnd,
        replay: KeptSteps = NOTHING_KEPT,
        kept_most: int = 0,
        right: float = 1.0,
    ) -> None:
        if len(start) != lane.state_size or len(replay.records) != replay.number * lane.kept_stride:
            raise ModelError("a state is not one of this network's: its size differs")
        self._lane = lane
        self._place = place
        # What the structure points to must live as long as it.
        self._ids, self._cuts = array("q", ids), array("q", cuts)
        # Kept steps and chosen ids come first, because they must lie at multiples of 8.
        chosen = kept_most * lane.kept_stride
        probability = chosen + 8 * latest_end.ids
        states = probability + 4 * latest_end.ids
        last = states + len(cuts) * lane.state_size
        self._room = np.empty(last + lane.state_size, np.uint8)
        at = self._room.ctypes.data
        self._parts = chosen, probability, states, last
        self.structure = c.CJob(
            None,
            lane.number,
            start,
            self._ids.buffer_info()[0],
            self._cuts.buffer_info()[0],
            len(ids),
            len(cuts),
            at + states,
        )
        structure = self.structure
        if place is not None:
            structure.page = place.index.address
            structure.cursor = ctypes.addressof(place.cursor)
            structure.continues = place.read
            if not place.read:
                structure.page_ids = place.ids.buffer_info()[0]
                structure.page_length = place.length
                structure.page_count = len(place.ids)
            else:
                structure.page_length = -1
        structure.replay, structure.replay_count = replay
        structure.most_ids = latest_end.ids
        structure.most_characters = latest_end.characters
        structure.line_ends[:] = latest_end.line_ends
        structure.least_first = latest_end.least_first
        structure.least = latest_end.least
        structure.right = right
        structure.chosen = at + chosen
        structure.probability = at + probability
        structure.kept = at
        structure.last_state = at + last
        structure.kept_most = kept_most
        self.address = ctypes.addressof(structure)

    def abandon(self) -> None:
        """Lets the job end at the next step, wherever it is."""
        self.structure.abandoned = 1

    def check(self) -> None:
        """Takes note of the page; raises ModelError if the job failed."""
        if self._place is not None:
            self._place.read = bool(self.structure.page_done)
        if self.structure.fault:
            raise ModelError(f"the drive refused a job, with fault {self.structure.fault}")

    @property
    def states(self) -> list[bytes]:
        """The states at the cuts."""
        _, _, states, last = self._parts
        size = self._lane.state_size
        return [self._room[at : at + size].tobytes() for at in range(states, last, size)]

    @property
    def chosen(self) -> list[tuple[int, float]]:
        """The ids that were chosen, with their probabilities."""
        count, (chosen, probability, _, _) = self.structure.chosen_count, self._parts
        ids = self._room[chosen : chosen + 8 * count].view(np.int64).tolist()
        given = self._room[probability : probability + 4 * count].view(np.float32).tolist()
        return list(zip(ids, given, strict=True))

    @property
    def kept(self) -> KeptSteps:
        """The steps that were kept."""
        count = self.structure.kept_count
        return KeptSteps(self._room[: count * self._lane.kept_stride].tobytes(), count)

    @property
    def last_state(self) -> bytes:
        """The state before the last id that was chosen."""
        return self._room[self._parts[3] :].tobytes()

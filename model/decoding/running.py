"""One text's decoding where it is computed: absorbed in one slot of a pool, decoded in some."""

from bisect import bisect_right
from collections.abc import Sequence
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from model.adaptation import Cursor
from model.decoding.branches import Branches
from model.decoding.continuation import ChosenStep
from model.decoding.decoder import Decoder
from model.decoding.next_step import NextStep, Query, adapted
from model.decoding.options import Options
from model.runtime import Pool
from model.served import Runtime


class Phase(Enum):
    """What a decoding needs before it can go on."""

    # Steps by the ids of its text.
    ABSORBING = auto()
    # The cursor at the end of its text, which `begin_at` takes.
    AWAITING_PAGE = auto()
    # The steps and next steps that its decoder's query names.
    DECODING = auto()
    # Nothing: the decoder has what it suggests.
    FINISHED = auto()


class Decoding:
    """Absorbs a text and decodes what comes after it, as far as others compute that for it.

    It says what is to be stepped and predicted; `model.decoding.stepping` computes that, for one or
    for many. `states` are those after each piece of the text. `steps_reused` counts the steps that
    a replay spared.
    """

    def __init__(
        self,
        runtime: Runtime,
        options: Options,
        pieces: Sequence[str],
        *,
        start: bytes | None,
        before: str,
        length: int,
        top: bool = False,
        kept_steps: int = 0,
    ) -> None:
        """`pieces` is the text to absorb, cut where the state is to be read.

        `start` is the state before it, None for that of the empty text. The whole text up to the
        end of the pieces has `length` characters, and `before` is its last CHARACTERS_BEFORE, or
        all of it. With `top` the distribution after the text is wanted, too. The first `kept_steps`
        next steps come with their states, so that another decoding can replay them. Raises
        TextError for a character that the vocabulary cannot spell.
        """
        self._ids: list[int] = []
        self._cuts: list[int] = []
        for piece in pieces:
            self._ids += runtime.vocabulary.encode(piece).tolist()
            self._cuts.append(len(self._ids))
        self._absorbed = 0
        self._state = start
        self.states: list[bytes] = []
        self._adaptation = runtime.adaptation
        self._awaits_page = runtime.adaptation is not None
        self._kept_steps = kept_steps
        self.decoder = Decoder(
            runtime.vocabulary, options, runtime.calibration, before, length, top
        )
        # Whether the steps of the decoder's query have been taken, by a replay or in the pool.
        self._steps_taken = False
        self._branches = Branches()
        self.steps_computed = 0
        self.steps_reused = 0

    @property
    def phase(self) -> Phase:
        """What it needs next."""
        if self._absorbed < len(self._ids):
            return Phase.ABSORBING
        if self._awaits_page:
            return Phase.AWAITING_PAGE
        return Phase.FINISHED if self.decoder.query is None else Phase.DECODING

    def begin_at(self, cursor: Cursor) -> None:
        """Takes over the cursor at the text's end on its page, where the runtime adapts."""
        self._branches.begin(cursor)
        self._awaits_page = False

    def replay(self, steps: Sequence[ChosenStep]) -> None:
        """Follows what was chosen after an earlier text, as far as this text and decoding agree.

        `steps` begin where the pieces do. The state and the network's output at a step depend on
        nothing but the text up to there, so to take them from the step and to compute them give the
        same bits. What was chosen also depends on the options and on the page, which may have
        changed since. So the choice is made again at each step, with the page mixed in again, and
        the first one that differs ends the replay: decoding computes on from the state there. So
        does a step after which no state was kept, because it leads to nowhere to go on from.
        """
        for number, step in enumerate(steps, 1):
            absorbing = self._absorbed < len(self._ids)
            index = self._ids[self._absorbed] if absorbing else self._choose(step.next_step)
            state = steps[number].next_step.state if number < len(steps) else None
            if index is None or index != step.id or state is None:
                return
            self.steps_reused += 1
            self._state = state
            if absorbing:
                self._absorbed += 1
                if self._at_cut:
                    self.states.append(state)
            else:
                self._branches.push(0, index)
                self._steps_taken = True

    def _choose(self, kept: NextStep) -> int | None:
        """The id that is chosen at a kept next step, if decoding goes on with that step alone."""
        query, branches_off = self.decoder.query, self.decoder.branches_off
        if query is None or self._awaits_page or (branches_off and kept.state is None):
            return None
        next_step = kept
        if self._adaptation is not None:
            if kept.network is None:
                return None
            cursors = self._branches.cursors([0], branches_off)
            (next_step,) = adapted(
                self._adaptation, cursors, kept.network, query.distributions, [kept.state]
            )
        if query.distributions and next_step.distribution is None:
            return None
        self.answer([next_step])
        query = self.decoder.query
        if query is None or query.restores or len(query.steps) != 1:
            # It has ended, or other branches go on beside branch 0, which the pool has to step.
            return None
        ((branch, index),) = query.steps
        return index if branch == 0 else None

    @property
    def width(self) -> int:
        """How many slots it takes."""
        return self.decoder.width

    def enter(self, pool: Pool) -> None:
        """Takes its slots, and puts the state that it goes on from into the first."""
        self._branches.slots = [pool.acquire() for _ in range(self.width)]
        if self._state is None:
            pool.start(self._branches.slots[0])
        else:
            pool.write(self._branches.slots[0], self._state)

    def leave(self, pool: Pool) -> None:
        """Gives its slots back."""
        for slot in self._branches.slots:
            pool.release(slot)

    @property
    def run(self) -> int:
        """How many steps may be taken at once: up to where the state is to be read."""
        if self.phase is not Phase.ABSORBING:
            return 1
        return self._cuts[bisect_right(self._cuts, self._absorbed)] - self._absorbed

    def move(self, pool: Pool) -> list[tuple[int, int]]:
        """Puts branches back where they go on from; returns the slots to step now, with the ids."""
        phase = self.phase
        if phase is Phase.ABSORBING:
            return [(self._branches.slots[0], self._ids[self._absorbed])]
        if phase is Phase.DECODING and not self._steps_taken:
            return self._branches.move(pool, self._query)
        return []

    def ahead(self, count: int) -> NDArray[np.int32]:
        """The next ids of the text, shape (count,)."""
        return np.array(self._ids[self._absorbed : self._absorbed + count], np.int32)

    def stepped(self, pool: Pool, count: int) -> None:
        """Goes on after the pool has taken the steps of `move`, or the next `count` of the text."""
        phase = self.phase
        if phase is Phase.ABSORBING:
            self.steps_computed += count
            self._absorbed += count
            if self._at_cut:
                self.states.append(pool.read(self._branches.slots[0]))
        elif phase is Phase.DECODING and not self._steps_taken:
            self.steps_computed += len(self._query.steps)
            self._steps_taken = True

    @property
    def wanted(self) -> list[int]:
        """The slots whose next step is wanted, possibly none."""
        return [self._branches.slots[branch] for branch in self._query.wanted]

    @property
    def cursors(self) -> list[Cursor]:
        """The places on the page of what is wanted, where there is a page."""
        return self._branches.cursors(self._query.wanted, self.decoder.branches_off)

    @property
    def wants_distributions(self) -> bool:
        """Whether the next steps are to come with their distributions."""
        return self._query.distributions

    @property
    def wants_states(self) -> bool:
        """Whether the next steps are to come with their states."""
        return self.decoder.branches_off or len(self.decoder.chain) < self._kept_steps

    def answer(self, next_steps: list[NextStep]) -> None:
        """Decodes on with the next steps that were wanted, in their order."""
        self.decoder.answer(next_steps)
        self._steps_taken = False

    @property
    def _query(self) -> Query:
        query = self.decoder.query
        assert query is not None
        return query

    @property
    def _at_cut(self) -> bool:
        return self._absorbed in self._cuts

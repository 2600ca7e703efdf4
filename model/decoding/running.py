"""One text's decoding in a pool: one slot absorbs the text, then each branch decodes in its own."""

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
    # Nothing: the suggestion is final.
    FINISHED = auto()


class Decoding:
    """Absorbs a text and then decodes what comes after it.

    A decoding only says what is to be stepped and predicted. `model.decoding.stepping` computes
    that, for one decoding or for many. `states` are those after each piece of the text.
    `steps_computed` counts the steps taken in the pool, `steps_reused` those that a replay spared.
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

        `start` is the state before the pieces, None for the state of the empty text. The whole
        text, up to the end of the pieces, has `length` characters; `before` is its last
        CHARACTERS_BEFORE, or all of it. With `top` the decoder also has the distribution after the
        text. The first `kept_steps` next steps come with their states, so that another decoding can
        replay them. Raises TextError for a character that the vocabulary cannot spell.
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
        """What the decoding needs next."""
        if self._absorbed < len(self._ids):
            return Phase.ABSORBING
        if self._awaits_page:
            return Phase.AWAITING_PAGE
        return Phase.FINISHED if self.decoder.query is None else Phase.DECODING

    def begin_at(self, cursor: Cursor) -> None:
        """Takes over the cursor at the end of the text on its page, where the runtime adapts."""
        self._branches.begin(cursor)
        self._awaits_page = False

    def replay(self, steps: Sequence[ChosenStep]) -> None:
        """Takes over the steps of an earlier decoding, as long as this one chooses the same ids.

        `steps` begin where the pieces do. The state and the network's output at a step depend on
        nothing but the text up to there, so taking them from the step gives the same bits as
        computing them. The id chosen also depends on the options and on the page, which may have
        changed since. So the choice is made again at each step, with the page mixed in again.

        The replay ends at the first step where the choice differs, and at a step after which no
        state was kept. The pool then computes on from the last state that was taken over.
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
        """Answers the query with a kept next step, and returns the id that is chosen there.

        Returns None where the replay cannot go on: the kept step lacks something that the query
        wants, decoding has ended, or it goes on with more than one step.
        """
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
            # Decoding has ended, or further branches start here. Only the pool can step those.
            return None
        ((branch, index),) = query.steps
        return index if branch == 0 else None

    @property
    def width(self) -> int:
        """How many slots the decoding takes."""
        return self.decoder.width

    def enter(self, pool: Pool) -> None:
        """Takes slots of the pool, and puts the state to go on from into the first of them."""
        self._branches.slots = [pool.acquire() for _ in range(self.width)]
        if self._state is None:
            pool.start(self._branches.slots[0])
        else:
            pool.write(self._branches.slots[0], self._state)

    def leave(self, pool: Pool) -> None:
        """Gives the slots back."""
        for slot in self._branches.slots:
            pool.release(slot)

    @property
    def steps_at_once(self) -> int:
        """How many steps may be taken in one call: up to where the state is to be read."""
        if self.phase is not Phase.ABSORBING:
            return 1
        return self._cuts[bisect_right(self._cuts, self._absorbed)] - self._absorbed

    def move(self, pool: Pool) -> list[tuple[int, int]]:
        """Puts branches where their steps begin; returns the slots to step now, with the ids."""
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
        """Takes note that the pool has taken the steps of `move`, or the text's next `count`."""
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
        """The cursors of the same branches as `wanted`; none where there is no page."""
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
        """Continues decoding with the next steps that were wanted, in their order."""
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

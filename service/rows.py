"""One request's computing: absorb a text from a state on, then decode; what a batch steps."""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.decoding import Completion, Greedy, Options
from model.runtime import Runtime
from service.predictions import KEPT_STEPS, Prediction, Step


@dataclass(frozen=True)
class Job:
    """What to compute. `pieces` is the text to absorb, cut where the state is to be read.

    `start` is the state to begin from, None for that of the empty text; `origin` and `end` are
    the digests of the text before and after absorbing. `top` asks for the probabilities of what
    comes next, too.
    """

    runtime: Runtime
    session: str
    start: bytes | None
    origin: bytes
    end: bytes
    pieces: tuple[str, ...]
    options: Options
    top: int


@dataclass(frozen=True)
class Computed:
    """What came out: the states at the ends of the pieces, the completion, and the cost.

    `next` holds the probability of every id after the text, where the job asked for it.
    """

    states: tuple[bytes, ...]
    completion: Completion
    next: NDArray[np.float32] | None
    steps_computed: int
    steps_reused: int


class Row:
    """One job on its way: which id it steps by next, and what it has read and chosen so far.

    The row says what it needs, the lane that holds it calls the runtime for all rows at once.
    Raises TextError for a character that the model's vocabulary cannot spell.
    """

    def __init__(self, job: Job, prediction: Prediction | None) -> None:
        self.job = job
        self.slot = -1
        self.finished = False
        self.next: NDArray[np.float32] | None = None
        self._ids: list[int] = []
        self._cuts: list[int] = []
        for piece in job.pieces:
            self._ids += job.runtime.vocabulary.encode(piece).tolist()
            self._cuts.append(len(self._ids))
        self._absorbed = 0
        self._states: list[bytes] = []
        self._greedy = Greedy(job.runtime.vocabulary, job.options)
        self._steps: list[Step] = []
        self._chosen: tuple[int, float] | None = None
        self._computed = 0
        self._reused = 0
        self.state = job.start
        if prediction is not None:
            self._follow(prediction.after(job.runtime.fingerprint, job.origin))

    @property
    def absorbing(self) -> bool:
        """Whether ids of the text are left, so that nothing is to be chosen yet."""
        return self._absorbed < len(self._ids)

    @property
    def next_id(self) -> int | None:
        """The id to step by, or None where something is to be chosen first."""
        if self.absorbing:
            return self._ids[self._absorbed]
        return self._chosen[0] if self._chosen else None

    @property
    def wants_next(self) -> bool:
        """Whether the probabilities after the text are to be read now."""
        return self.job.top > 0 and self.next is None and not self.absorbing

    @property
    def run(self) -> int:
        """How many steps may follow each other at once: up to where the state is to be read."""
        if not self.absorbing:
            return 1
        return self._cuts[bisect_right(self._cuts, self._absorbed)] - self._absorbed

    def ahead(self, count: int) -> NDArray[np.int32]:
        """The next ids of the text."""
        return np.array(self._ids[self._absorbed : self._absorbed + count], dtype=np.int32)

    def reads(self, count: int) -> bool:
        """Whether the state after the next `count` steps is to be read."""
        if self.absorbing:
            return count == self.run
        return len(self._steps) < KEPT_STEPS

    def stepped(self, state: bytes | None, count: int) -> None:
        """The next `count` steps are done; `state` is the one after them where the row reads it."""
        self._computed += count
        self._advance(state, count)

    def chose(self, index: int, probability: float) -> None:
        """The network's choice after the text and what was chosen so far."""
        if self._greedy.push(index, probability):
            self._chosen = (index, probability)
        else:
            self._steps.append(Step(index, probability, None))
            self.finished = True

    def result(self) -> Computed:
        """What came out of a row that has finished."""
        return Computed(
            states=tuple(self._states),
            completion=self._greedy.completion(),
            next=self.next,
            steps_computed=self._computed,
            steps_reused=self._reused,
        )

    @property
    def prediction(self) -> Prediction:
        """The steps beyond the text, for the session's next request."""
        steps = tuple(self._steps[:KEPT_STEPS])
        return Prediction(self.job.runtime.fingerprint, self.job.end, steps)

    def _advance(self, state: bytes | None, count: int = 1) -> None:
        if self.absorbing:
            self._absorbed += count
            if self._absorbed in self._cuts:
                assert state is not None
                self._states.append(state)
        else:
            assert self._chosen is not None
            self._steps.append(Step(*self._chosen, state))
            self._chosen = None

    def _follow(self, steps: tuple[Step, ...]) -> None:
        """Goes along a prediction as far as the text does, and then as far as decoding does."""
        for step in steps:
            if self.wants_next:
                return
            if not self.absorbing:
                self.chose(step.id, step.probability)
            if self.finished or step.id != self.next_id or step.state is None:
                return
            self._advance(step.state)
            self._reused += 1
            self.state = step.state

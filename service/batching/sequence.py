"""One request's computing: absorb a text from a state on, then decode; what a batch steps."""

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from model.adaptation import Cursor, Page, page_text
from model.adaptation.page import common_length
from model.decoding.branches import Branches
from model.decoding.decoder import Decoder
from model.decoding.next_step import NextStep, adapted
from model.decoding.options import CHARACTERS_BEFORE, CharProbability, Completion, Options
from model.runtime import Pool
from model.served import Runtime
from service.batching.continuations import KEPT_STEPS, Continuation, KeptStep

# A page that lacks no more characters than this is brought to its text at once.
NEAR = 16


@dataclass(frozen=True)
class Job:
    """What to compute. `pieces` is the text to absorb, cut where the state is to be read.

    `start` is the state to begin from, None for that of the empty text; `origin` and `end` are
    the digests of the text before and after absorbing. `top` asks for the probabilities of what
    comes next, too. The whole text has `length` characters, and `window` is what it ends in: all
    from model.adaptation's window_start on.

    `on_chars` is called, on the thread that computes, with further characters of the suggestion as
    soon as they are certain. After `predict_seconds` from the first choice on, decoding ends with
    what there is once that holds a line end.
    """

    runtime: Runtime
    session: str
    start: bytes | None
    origin: bytes
    end: bytes
    pieces: tuple[str, ...]
    options: Options
    top: int
    length: int
    window: str
    on_chars: Callable[[tuple[CharProbability, ...]], None] | None = None
    predict_seconds: float | None = None


@dataclass(frozen=True)
class Computed:
    """What came out: the states at the ends of the pieces, the suggestions, and the cost.

    `next` holds the probability of every id after the text, where the job asked for it.
    `steps_predicted` counts the ids decoded for the first candidate, kept ones included.
    """

    states: tuple[bytes, ...]
    completion: Completion
    alternatives: tuple[Completion, ...]
    next: NDArray[np.float32] | None
    steps_computed: int
    steps_reused: int
    steps_predicted: int
    seconds_absorbing: float
    seconds_predicting: float


class Sequence:
    """One job on its way: what it steps by next, and what it has read and chosen so far.

    The row says what it needs, the lane that holds it calls the runtime for all rows at once.
    Raises TextError for a character that the model's vocabulary cannot spell.
    """

    def __init__(self, job: Job, continuation: Continuation | None, page: Page | None) -> None:
        """`page` is one that nobody else uses, whatever it holds; None without adaptation."""
        self.job = job
        self.page = page
        self._ids: list[int] = []
        self._cuts: list[int] = []
        for piece in job.pieces:
            self._ids += job.runtime.vocabulary.encode(piece).tolist()
            self._cuts.append(len(self._ids))
        self._absorbed = 0
        self._states: list[bytes] = []
        self._decoder = Decoder(
            job.runtime.vocabulary,
            job.options,
            job.runtime.calibration,
            job.window[-CHARACTERS_BEFORE:],
            job.length,
            job.top > 0,
        )
        self._branches = Branches()
        self._moved = False
        self._told = 0
        self._computed = 0
        self._reused = 0
        self._joined = time.monotonic()
        self._predicting: float | None = None
        self.state = job.start
        self._cursor: Cursor | None = None
        # Of this text, so many characters are on the page.
        self._page_text = page_text(job.window, job.length, job.options.suffix)
        self._paged = len(self._page_text)
        if page is not None:
            self._paged = common_length(page.text, self._page_text)
            if self.page_lacks <= NEAR:
                self.read_page(NEAR)
        if continuation is not None:
            self._follow(continuation.after(job.runtime.fingerprint, job.origin))

    @property
    def width(self) -> int:
        """How many slots the row takes."""
        return self._decoder.width

    @property
    def slots(self) -> list[int]:
        """The slots of its branches, the first of which absorbs the text."""
        return self._branches.slots

    @slots.setter
    def slots(self, slots: list[int]) -> None:
        self._branches.slots = slots

    @property
    def absorbing(self) -> bool:
        """Whether ids of the text are left, so that nothing is to be chosen yet."""
        return self._absorbed < len(self._ids)

    @property
    def page_lacks(self) -> int:
        """How many characters of its text are not on the page yet."""
        return len(self._page_text) - self._paged

    @property
    def ready(self) -> bool:
        """Whether the text is absorbed and the page is at its end, so that decoding can go on."""
        return not self.absorbing and (self.page is None or self._cursor is not None)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.ready and self._decoder.query is None

    @property
    def asking(self) -> bool:
        """Whether outlooks are wanted when the steps are done, be it none for now."""
        return self.ready and self._decoder.query is not None

    @property
    def asks(self) -> list[int]:
        """The slots whose outlook is wanted."""
        query = self._decoder.query
        return [self.slots[branch] for branch in query.asks] if query is not None else []

    @property
    def cursors(self) -> list[Cursor]:
        """The places on the page of what is asked, where there is a page."""
        query = self._decoder.query
        return self._branches.cursors(query.asks, self._decoder.shares) if query is not None else []

    @property
    def whole(self) -> bool:
        """Whether the outlooks are to come with their distributions."""
        query = self._decoder.query
        return query is not None and query.whole

    @property
    def keeps(self) -> bool:
        """Whether the outlooks are to come with their states."""
        return self._decoder.shares or len(self._decoder.chain) < KEPT_STEPS

    @property
    def run(self) -> int:
        """How many steps may follow each other at once: up to where the state is to be read."""
        if not self.absorbing:
            return 1
        return self._cuts[bisect_right(self._cuts, self._absorbed)] - self._absorbed

    def read_page(self, most: int) -> int:
        """Brings the page on by so many characters at most; returns how many there were."""
        assert self.page is not None
        reading = min(most, self.page_lacks)
        self._paged += reading
        text = self._page_text[: self._paged]
        # Another row may be at the end of the same text: where nothing changes, its places stay.
        if self.page.text != text:
            self.page.follow(text)
        if not self.page_lacks:
            self._cursor = self.page.cursor()
            self._branches.begin(self._cursor)
        return reading

    def move(self, pool: Pool) -> list[tuple[int, int]]:
        """Slots, and the ids to step them by next; puts branches back to where they begin."""
        if self.absorbing:
            return [(self.slots[0], self._ids[self._absorbed])]
        query = self._decoder.query
        if self._moved or query is None or not self.ready:
            return []
        return self._branches.move(pool, query)

    def ahead(self, count: int) -> NDArray[np.int32]:
        """The next ids of the text."""
        return np.array(self._ids[self._absorbed : self._absorbed + count], dtype=np.int32)

    def reads(self, count: int) -> bool:
        """Whether the state after the next `count` steps is to be read for the job."""
        return self.absorbing and count == self.run

    def stepped(self, state: bytes | None, count: int) -> None:
        """The next `count` steps are done; `state` is the one after them where the row reads it."""
        if self.absorbing:
            self._computed += count
            self._absorb(state, count)
        else:
            assert self._decoder.query is not None
            self._computed += len(self._decoder.query.moves)
            self._moved = True

    def take(self, next_steps: list[NextStep]) -> None:
        """The outlooks that the row asked for."""
        if self._predicting is None:
            self._predicting = time.monotonic()
        self._decoder.take(next_steps)
        self._moved = False
        if self.job.predict_seconds is not None:
            late = time.monotonic() - self._predicting >= self.job.predict_seconds
            if late and self._decoder.query is not None and "\n" in self._decoder.text:
                self._decoder.end()
        if self.job.on_chars is not None:
            certain = self._decoder.certain
            if len(certain) > self._told:
                self.job.on_chars(certain[self._told :])
                self._told = len(certain)

    def result(self) -> Computed:
        """What came out of a row that has finished."""
        now = time.monotonic()
        predicting = self._predicting or now
        return Computed(
            states=tuple(self._states),
            completion=self._decoder.completion,
            alternatives=self._decoder.alternatives,
            next=self._decoder.next,
            steps_computed=self._computed,
            steps_reused=self._reused,
            steps_predicted=len(self._decoder.chain),
            seconds_absorbing=predicting - self._joined,
            seconds_predicting=now - predicting,
        )

    @property
    def continuation(self) -> Continuation:
        """The steps beyond the text, for the session's next request."""
        chain = self._decoder.chain[:KEPT_STEPS]
        return Continuation(
            self.job.runtime.fingerprint,
            self.job.end,
            tuple(KeptStep.of(next_step, index) for next_step, index in chain),
        )

    def _absorb(self, state: bytes | None, count: int = 1) -> None:
        self._absorbed += count
        if self._absorbed in self._cuts:
            assert state is not None
            self._states.append(state)

    def _follow(self, steps: tuple[KeptStep, ...]) -> None:
        """Goes along a prediction as far as the text does, and then as far as decoding does."""
        for step, after in zip_longest(steps, steps[1:]):
            if not self.absorbing and not self.ready:
                return
            index = self._ids[self._absorbed] if self.absorbing else self._choose(step.next_step)
            if index is None or index != step.id or after is None or after.next_step.state is None:
                return
            self._reused += 1
            self.state = after.next_step.state
            if self.absorbing:
                self._absorb(self.state)
            else:
                self._moved = True
                if self._cursor is not None:
                    self._cursor.push(index)

    def _choose(self, kept: NextStep) -> int | None:
        """The id that decoding steps by where this was kept, if it asks for that alone."""
        query = self._decoder.query
        if query is None:
            return None
        if self._decoder.shares and kept.state is None:
            return None
        next_step = kept
        if self._cursor is not None:
            if kept.network is None:
                return None
            adaptation = self.job.runtime.adaptation
            assert adaptation is not None
            cursor = self._cursor.copy() if self._decoder.shares else self._cursor
            (next_step,) = adapted(adaptation, [cursor], kept.network, query.whole, [kept.state])
        if query.whole and next_step.distribution is None:
            return None
        self.take([next_step])
        query = self._decoder.query
        if query is None or query.writes or [branch for branch, _ in query.moves] != [0]:
            return None
        return query.moves[0][1]

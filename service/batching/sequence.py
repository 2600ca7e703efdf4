"""The computation of one job: absorb a text from a given state, then decode. A batch steps it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.adaptation import Page
from model.decoding.continuation import MOST_KEPT_STEPS, ChosenSteps, Continuation
from model.decoding.next_step import NextStep
from model.decoding.options import CHARACTERS_BEFORE, CharProbability, Completion, Options
from model.decoding.running import Decoding
from model.served import Runtime
from service.batching.page_reading import PageReading

# If at most this many characters are missing on a page, they are read when the sequence is made. So
# a typed key needs no further call, and the kept continuation can be replayed at once.
MOST_CHARACTERS_READ_AT_ONCE = 16


@dataclass(frozen=True)
class Job:
    """What to compute. `pieces` is the text to absorb, cut where states are to be read.

    `start` is the state to begin from, or None for the state of the empty text. `origin` and `end`
    are the digests of the text before and after absorbing. If `top` is above 0, the probabilities
    of the next character are wanted, too. The whole text has `length` characters. `window` is the
    end of the text, from model.adaptation's `window_start(length)` on.

    `on_chars` is called with further characters of the suggestion as soon as they are certain, and
    maybe on another thread. Once `predict_seconds` have passed since the first choice, decoding
    ends as soon as the suggestion has a line end.
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
    """The result: the states at the ends of the pieces, the suggestions, and the cost.

    `next` holds the probability of every id after the text, or None if the job did not ask for it.
    `steps_predicted` counts the ids decoded for the first candidate, replayed ones included.
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


class Sequence(Decoding):
    """The decoding of one job, with its page, its deadline, and its listener.

    Raises TextError for a character that the model's vocabulary cannot spell.
    """

    def __init__(
        self, job: Job, continuation: Continuation[ChosenSteps] | None, page: Page | None
    ) -> None:
        """`page` may hold any text, but no sequence with another text may use it.

        It is None if the runtime does not adapt. `continuation` was kept for the session, after any
        earlier text.
        """
        super().__init__(
            job.runtime,
            job.options,
            job.pieces,
            start=job.start,
            before=job.window[-CHARACTERS_BEFORE:],
            length=job.length,
            top=job.top > 0,
            kept_steps=MOST_KEPT_STEPS,
        )
        self.job = job
        self._chars_given = 0
        self._joined = time.monotonic()
        self._first_choice: float | None = None
        self._reading: PageReading | None = None
        if page is not None:
            self._reading = PageReading(page, job.window, job.length, job.options.suffix)
            if self.page_missing <= MOST_CHARACTERS_READ_AT_ONCE:
                self.read_page(MOST_CHARACTERS_READ_AT_ONCE)
        if continuation is not None:
            self.replay(continuation.after(job.runtime.fingerprint, job.origin) or ())

    @property
    def page(self) -> Page | None:
        """The page, or None if the runtime does not adapt."""
        return self._reading.page if self._reading is not None else None

    @property
    def page_missing(self) -> int:
        """How many characters of its text are not on the page yet."""
        return self._reading.missing if self._reading is not None else 0

    def read_page(self, most: int) -> None:
        """Reads at most `most` more characters onto its page; once all are there, decoding begins.

        It must have a page.
        """
        assert self._reading is not None
        self._reading.read(most)
        if not self.page_missing:
            self.begin_at(self._reading.cursor())

    def answer(self, next_steps: list[NextStep]) -> None:
        """Decodes on, ends if its time is up, and tells the listener what has become certain."""
        if self._first_choice is None:
            self._first_choice = time.monotonic()
        super().answer(next_steps)
        if self._late and "\n" in self.decoder.text:
            self.decoder.end()
        if self.job.on_chars is not None:
            certain = self.decoder.certain
            if len(certain) > self._chars_given:
                self.job.on_chars(certain[self._chars_given :])
                self._chars_given = len(certain)

    def result(self) -> Computed:
        """The result, once it has finished."""
        now = time.monotonic()
        first_choice = self._first_choice or now
        return Computed(
            states=tuple(self.states),
            completion=self.decoder.completion,
            alternatives=self.decoder.alternatives,
            next=self.decoder.next,
            steps_computed=self.steps_computed,
            steps_reused=self.steps_reused,
            steps_predicted=len(self.decoder.chain),
            seconds_absorbing=first_choice - self._joined,
            seconds_predicting=now - first_choice,
        )

    @property
    def continuation(self) -> Continuation[ChosenSteps]:
        """The first steps after the text; the session's next request may replay them."""
        steps = tuple(step.kept() for step in self.decoder.chain[:MOST_KEPT_STEPS])
        return Continuation(self.job.runtime.fingerprint, self.job.end, steps)

    @property
    def _late(self) -> bool:
        seconds = self.job.predict_seconds
        if seconds is None or self._first_choice is None or self.decoder.query is None:
            return False
        return time.monotonic() - self._first_choice >= seconds

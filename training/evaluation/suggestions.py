"""The suggestions at every position of a text, decoded as the service decodes them.

A text is typed character by character. At each position it is decoded under the loosest options.
The steps that were chosen at the position before are replayed as far as they still hold, as in a
session. Stricter options (fewer characters, more confidence) stop earlier on the same chain of ids,
so that other options can be tried without the network.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from model.calibration import Calibration
from model.completing import decoding_at
from model.decoding.candidate import Candidate, Rules
from model.decoding.continuation import ChosenStep
from model.decoding.decoder import Decoder
from model.decoding.options import Completion, Options
from model.decoding.running import Decoding, Phase
from model.decoding.stepping import step_and_predict
from model.served import Runtime
from model.vocabulary import Vocabulary
from training.evaluation.figures import Suggested
from training.evaluation.scoring import TEXTS_AT_ONCE, Progress, Reading, ignore

# The next position replays at most this many steps of a suggestion: all of them. A service keeps
# fewer to save memory, which changes no result.
REPLAYED_STEPS = 1_000_000


class ShownText(NamedTuple):
    """A suggestion as the typist sees it."""

    text: str
    confidence: float


@dataclass
class Tape:
    """The results of decoding one stretch of a text, position after position.

    `ids` and `probabilities` hold the chains of chosen ids, one after another: the chain of the
    stretch's position p ends at `ends[p]`, where the next one begins. `shown` is the suggestion at
    each position under the loosest options.
    """

    ids: array[int] = field(default_factory=lambda: array("i"))
    probabilities: array[float] = field(default_factory=lambda: array("f"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    shown: list[ShownText] = field(default_factory=list)

    def record(self, decoder: Decoder) -> None:
        """Adds the result of decoding at the next position."""
        self.ids.extend(step.id for step in decoder.chain)
        self.probabilities.extend(step.next_step.probability for step in decoder.chain)
        self.ends.append(len(self.ids))
        completion = decoder.completion
        self.shown.append(ShownText(completion.text, completion.confidence))


@dataclass(frozen=True)
class Suggestions:
    """The suggestions at every position of one text, under `loosest` or stricter options.

    There is a tape for each stretch of `every` characters.
    """

    vocabulary: Vocabulary
    calibration: Calibration
    loosest: Options
    every: int
    tapes: tuple[Tape, ...]

    def shown(self, position: int, options: Options) -> Suggested:
        """The suggestion at `position` under `options`, as the typist sees it; raises as `at`."""
        if options == self.loosest:
            return self.tapes[position // self.every].shown[position % self.every]
        return self.at(position, options)

    def at(self, position: int, options: Options) -> Completion:
        """The completion at `position` under `options`, the same as from model.completing.

        Raises ValueError for options that would go on further than was computed.
        """
        tape = self.tapes[position // self.every]
        position %= self.every
        greedy = Candidate(Rules(self.vocabulary, options, self.calibration))
        for at in range(tape.ends[position - 1] if position else 0, tape.ends[position]):
            if not greedy.push(tape.ids[at], tape.probabilities[at]):
                break
        if greedy.finish_reason is None:
            raise ValueError(
                f"{options} stop later than {self.loosest}, for which this was computed"
            )
        return greedy.completion()


def suggest(
    runtime: Runtime,
    texts: Sequence[str],
    readings: Sequence[Reading],
    loosest: Options,
    progress: Progress = ignore,
) -> list[Suggestions]:
    """Decodes greedily at every position of every text, many stretches side by side.

    `readings` come from training.evaluation.scoring.read for the same texts, with states kept. A
    stretch begins at each state.
    """
    stretches = [
        Stretch(text, number * reading.every, min((number + 1) * reading.every, len(text)), state)
        for text, reading in zip(texts, readings, strict=True)
        for number, state in enumerate(reading.snapshots)
    ]
    _decode_all(runtime, stretches, loosest, progress)
    tapes = iter([stretch.tape for stretch in stretches])
    return [
        Suggestions(
            runtime.vocabulary,
            runtime.calibration,
            loosest,
            reading.every,
            tuple(next(tapes) for _ in reading.snapshots),
        )
        for reading in readings
    ]


@dataclass
class Stretch:
    """The part of a text from `begin` to `end`, the state before it, and what is decoded there."""

    text: str
    begin: int
    end: int
    state: bytes
    tape: Tape = field(default_factory=Tape)

    def decodings(self, runtime: Runtime, options: Options) -> Iterator[Decoding]:
        """The decoding at each position in turn.

        The caller computes each one before it asks for the next. A decoding that its replay has
        finished needs no computing and is not yielded.
        """
        page = runtime.adaptation.page() if runtime.adaptation else None
        state, absorbed = self.state, self.begin
        chain: list[ChosenStep] = []
        for position in range(self.begin, self.end):
            decoding = decoding_at(
                runtime,
                options,
                self.text,
                position,
                page,
                state,
                absorbed,
                kept_steps=REPLAYED_STEPS,
            )
            decoding.replay(chain)
            if decoding.phase is not Phase.FINISHED:
                yield decoding
            self.tape.record(decoding.decoder)
            if decoding.states:
                state = decoding.states[-1]
            chain, absorbed = decoding.decoder.chain, position


def _decode_all(
    runtime: Runtime, stretches: Sequence[Stretch], options: Options, progress: Progress
) -> None:
    """Decodes all stretches, many side by side, each in its own slot."""
    pool = runtime.pool(min(TEXTS_AT_ONCE, max(1, len(stretches))))
    waiting = list(stretches)
    running: dict[Decoding, tuple[Stretch, Iterator[Decoding]]] = {}

    def go_on(stretch: Stretch, decodings: Iterator[Decoding]) -> None:
        """Begins the stretch's next decoding that needs computing."""
        decoding = next(decodings, None)
        if decoding is None:
            progress(stretch.end - stretch.begin)
        else:
            decoding.enter(pool)
            running[decoding] = stretch, decodings

    while waiting or running:
        while waiting and len(running) < TEXTS_AT_ONCE:
            stretch = waiting.pop()
            go_on(stretch, stretch.decodings(runtime, options))
        step_and_predict(pool, runtime.adaptation, list(running))
        for decoding in [one for one in running if one.phase is Phase.FINISHED]:
            decoding.leave(pool)
            go_on(*running.pop(decoding))

"""What the network would suggest at every position of a text, for any stricter options.

Greedy decoding is a chain: where the character that came is the one that was predicted, the
suggestion at the next position is the same chain one character on, so its steps are not taken
again. The chains of a stretch of text lie on one tape, and a position only notes where its own
begins and ends. Stricter options (fewer characters, more confidence) stop earlier on the same
chain, so that trying many of them is mere arithmetic.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from model.calibration import Calibration
from model.candidate import Candidate, Rules
from model.decoding import Completion, Options
from model.runtime import Pool, Runtime
from model.vocabulary import Vocabulary
from training.surprise import TOGETHER, Progress, Reading, ignore

Ask = tuple[int, int | None]
"""A slot, and the id to step it by first, or None to leave its state as it is."""
Best = tuple[int, float]
"""The most probable next id of that slot, and its probability."""


@dataclass
class Tape:
    """The chains of one stretch: predicted ids and their probabilities, one chain after another.

    The chain of the stretch's position p is the part from `starts[p]` to `ends[p]`.
    """

    ids: array[int] = field(default_factory=lambda: array("i"))
    probabilities: array[float] = field(default_factory=lambda: array("f"))
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))

    def append(self, best: Best) -> None:
        """One more predicted id."""
        self.ids.append(best[0])
        self.probabilities.append(best[1])


@dataclass(frozen=True)
class Suggestions:
    """The suggestions at every position of one text, under `loosest` or stricter options."""

    vocabulary: Vocabulary
    calibration: Calibration
    loosest: Options
    every: int
    tapes: tuple[Tape, ...]

    def at(self, position: int, options: Options) -> Completion:
        """What decoding with `options` gives at `position`, as model.completing would.

        Raises ValueError for options under which it would go on further than was computed.
        """
        tape = self.tapes[position // self.every]
        position %= self.every
        greedy = Candidate(Rules(self.vocabulary, options, self.calibration))
        for at in range(tape.starts[position], tape.ends[position]):
            if not greedy.push(tape.ids[at], tape.probabilities[at]):
                return greedy.completion()
        raise ValueError(f"{options} stop later than {self.loosest}, for which this was computed")


def suggest(
    runtime: Runtime,
    texts: Sequence[str],
    readings: Sequence[Reading],
    loosest: Options,
    progress: Progress = ignore,
) -> list[Suggestions]:
    """Decodes greedily from every position of every text, all stretches together.

    `readings` are what training.surprise.read gave for the same texts, with states kept: a text
    is cut at them, and the stretches run side by side.
    """
    vocabulary = runtime.vocabulary
    stretches = [
        (text[number * reading.every : (number + 1) * reading.every], state)
        for text, reading in zip(texts, readings, strict=True)
        for number, state in enumerate(reading.snapshots)
    ]
    tapes = iter(_run(runtime, stretches, loosest, progress))
    return [
        Suggestions(
            vocabulary,
            runtime.calibration,
            loosest,
            reading.every,
            tuple(next(tapes) for _ in reading.snapshots),
        )
        for reading in readings
    ]


@dataclass
class _Running:
    """A stretch that is being decoded: its place in the result, its slots, and what it asks."""

    order: int
    characters: int
    slots: tuple[int, int]
    chains: Generator[Ask, Best, Tape]
    ask: Ask


def _run(
    runtime: Runtime,
    stretches: Sequence[tuple[str, bytes]],
    options: Options,
    progress: Progress,
) -> list[Tape]:
    rules = Rules(runtime.vocabulary, options, runtime.calibration)
    pool = runtime.pool(2 * min(TOGETHER, max(1, len(stretches))))
    waiting = list(range(len(stretches)))
    running: list[_Running] = []
    done: dict[int, Tape] = {}
    while waiting or running:
        while waiting and len(running) < TOGETHER:
            order = waiting.pop()
            text, state = stretches[order]
            slots = (pool.acquire(), pool.acquire())
            pool.write(slots[0], state)
            chains = _chains(pool, slots, rules, text)
            running.append(_Running(order, len(text), slots, chains, next(chains)))
        still_running: list[_Running] = []
        for stretch, best in zip(running, _answer(pool, [r.ask for r in running]), strict=True):
            try:
                stretch.ask = stretch.chains.send(best)
                still_running.append(stretch)
            except StopIteration as finished:
                done[stretch.order] = finished.value
                for slot in stretch.slots:
                    pool.release(slot)
                progress(stretch.characters)
        running = still_running
    return [done[order] for order in range(len(stretches))]


def _answer(pool: Pool, asks: Sequence[Ask]) -> list[Best]:
    """Steps all slots that ask for it in one batch, then takes the best id of each."""
    moving = [(slot, index) for slot, index in asks if index is not None]
    if moving:
        slots, ids = zip(*moving, strict=True)
        pool.step(np.array(slots, dtype=np.int32), np.array(ids, dtype=np.int32))
    best, probabilities = pool.best(np.array([slot for slot, _ in asks], dtype=np.int32))
    return list(zip(best.tolist(), probabilities.tolist(), strict=True))


def _chains(
    pool: Pool, slots: tuple[int, int], rules: Rules, text: str
) -> Generator[Ask, Best, Tape]:
    """The chain of each position of `text`; the head slot holds the state before the text.

    The head follows the text. The tail runs ahead along the newest chain and has absorbed all of
    its ids but the last; while there is only one, that is where the head is.
    """
    head, tail = slots
    tape = Tape()
    start = 0
    best = yield head, None
    for character in text:
        if start == len(tape.ids):
            tape.append(best)
        tape.starts.append(start)
        greedy = Candidate(rules)
        at = start
        while greedy.push(tape.ids[at], tape.probabilities[at]):
            at += 1
            if at == len(tape.ids):
                if at == start + 1:
                    pool.write(tail, pool.read(head))
                tape.append((yield tail, tape.ids[-1]))
        tape.ends.append(at + 1)
        spelling = rules.vocabulary.spell(character)
        for index in spelling:
            best = yield head, index
        follows = tuple(tape.ids[start : start + len(spelling)]) == spelling
        start = start + len(spelling) if follows else len(tape.ids)
    return tape

"""What would be suggested at every position of a text, for any stricter options.

Greedy decoding is a chain: where the character that came is the one that was predicted, the
network's steps at the next position are the same ones, one character on, and are not taken again;
what a page has taught since is mixed in anew. Stricter options (fewer characters, more confidence)
stop earlier on the same chain, so that trying many of them is mere arithmetic.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from model.adaptation import Adaptation, Cursor
from model.calibration import Calibration
from model.decoding.candidate import Candidate, Rules
from model.decoding.next_step import NextStep, next_steps
from model.decoding.options import Completion, Options
from model.runtime import Pool
from model.served import Runtime
from model.vocabulary import Vocabulary
from training.evaluation.scoring import TOGETHER, Progress, Reading, ignore, window

Ask = tuple[int, list[int]]
"""A slot, and the ids to step it by before its outlook is taken."""


@dataclass
class Tape:
    """The chains of one stretch: predicted ids and their probabilities, one chain after another.

    The chain of the stretch's position p ends at `ends[p]`, where the next one begins.
    """

    ids: array[int] = field(default_factory=lambda: array("i"))
    probabilities: array[float] = field(default_factory=lambda: array("f"))
    ends: array[int] = field(default_factory=lambda: array("q"))


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
        for at in range(tape.ends[position - 1] if position else 0, tape.ends[position]):
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

    `readings` are what training.evaluation.scoring.read gave for the same texts, with states kept:
    a text is cut at them, and the stretches run side by side.
    """
    vocabulary = runtime.vocabulary
    stretches = [
        _Stretch(text, number * reading.every, (number + 1) * reading.every, state)
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


@dataclass(frozen=True)
class _Stretch:
    """The part of a text from `begin` to `end`, and the state before it."""

    text: str
    begin: int
    end: int
    state: bytes


@dataclass
class _Running:
    """A stretch that is being decoded: its place in the result, its slots, and what it asks."""

    order: int
    characters: int
    slots: tuple[int, int]
    chains: Generator[Ask, NextStep, Tape]
    ask: Ask


def _run(
    runtime: Runtime, stretches: Sequence[_Stretch], options: Options, progress: Progress
) -> list[Tape]:
    rules = Rules(runtime.vocabulary, options, runtime.calibration)
    pool = runtime.pool(2 * min(TOGETHER, max(1, len(stretches))))
    waiting = list(range(len(stretches)))
    running: list[_Running] = []
    done: dict[int, Tape] = {}
    while waiting or running:
        while waiting and len(running) < TOGETHER:
            order = waiting.pop()
            stretch = stretches[order]
            slots = (pool.acquire(), pool.acquire())
            pool.write(slots[0], stretch.state)
            chains = _chains(pool, slots, rules, runtime.adaptation, stretch)
            characters = min(stretch.end, len(stretch.text)) - stretch.begin
            running.append(_Running(order, characters, slots, chains, next(chains)))
        still_running: list[_Running] = []
        asks = [r.ask for r in running]
        answers = _answer(pool, asks, runtime.adaptation)
        for one, next_step in zip(running, answers, strict=True):
            try:
                one.ask = one.chains.send(next_step)
                still_running.append(one)
            except StopIteration as finished:
                done[one.order] = finished.value
                for slot in one.slots:
                    pool.release(slot)
                progress(one.characters)
        running = still_running
    return [done[order] for order in range(len(stretches))]


def _answer(pool: Pool, asks: Sequence[Ask], adaptation: Adaptation | None) -> list[NextStep]:
    """Steps all slots that ask for it in one batch, then takes the outlook of each."""
    moving = [(slot, ids) for slot, ids in asks if ids]
    if moving:
        pool.absorb([slot for slot, _ in moving], [np.array(ids, np.int32) for _, ids in moving])
    return networks(pool, [slot for slot, _ in asks], adaptation)


def networks(pool: Pool, slots: Sequence[int], adaptation: Adaptation | None) -> list[NextStep]:
    """The network's own outlook at each slot's state, with what `best` mixes a page into."""
    if adaptation is None:
        return next_steps(pool, slots, False, [None] * len(slots))
    network_output = pool.network_output(slots)
    ids = network_output.probabilities.argmax(axis=1).tolist()
    return [
        NextStep(index, float(row[index]), network=network_output.at(number))
        for number, (index, row) in enumerate(zip(ids, network_output.probabilities, strict=True))
    ]


def _chains(
    pool: Pool,
    slots: tuple[int, int],
    rules: Rules,
    adaptation: Adaptation | None,
    stretch: _Stretch,
) -> Generator[Ask, NextStep, Tape]:
    """The chain of each position of a stretch; the head slot holds the state before it.

    The head follows the text. The tail is at the end of `path`, the ids of the newest chain from
    the head on; `known` are the network's outlooks along it, from the head's to the tail's.
    """
    head, tail = slots
    tape = Tape()
    page = adaptation.page() if adaptation else None
    path: list[int] = []
    known = [(yield head, [])]
    for position, character in enumerate(stretch.text[stretch.begin : stretch.end], stretch.begin):
        cursor = None
        if page is not None:
            page.follow(window(stretch.text, position))
            cursor = page.cursor()
        greedy = Candidate(rules)
        at = 0
        while True:
            index, probability = best(adaptation, cursor, known[at])
            tape.ids.append(index)
            tape.probabilities.append(probability)
            if not greedy.push(index, probability):
                break
            if path[at : at + 1] != [index]:
                steps = [index]
                if at == 0 or at < len(path):
                    pool.write(tail, pool.read(head))
                    steps = [*path[:at], index]
                path, known = [*path[:at], index], known[: at + 1]
                known.append((yield tail, steps))
            if cursor is not None:
                cursor.push(index)
            at += 1
        tape.ends.append(len(tape.ids))
        for index in rules.vocabulary.spell(character):
            next_step = yield head, [index]
            path, known = (path[1:], known[1:]) if path[:1] == [index] else ([], [next_step])
    return tape


def best(
    adaptation: Adaptation | None, cursor: Cursor | None, next_step: NextStep
) -> tuple[int, float]:
    """The most probable id, and its probability, with what a page knows of the place."""
    if adaptation is None or cursor is None or next_step.network is None:
        return next_step.id, next_step.probability
    ids, probabilities = adaptation.best([cursor], next_step.network)
    return int(ids[0]), float(probabilities[0])

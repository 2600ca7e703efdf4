"""Alternatives to the greedy candidate: a beam of branches off what has been decoded already.

Wherever a candidate chose an id, another one might have come. Of all these places and ids those go
on that make the most probable beginnings, as many at a time as there are branches, from the states
that were kept there, so that no common beginning is ever computed twice. What goes on branches in
its turn. As each alternative differs from the others before it is cut, none is a prefix of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from model.decoding.candidate import Candidate
from model.decoding.next_step import NextStep, Queries, Query

ROUNDS = 2


class BranchPoint(NamedTuple):
    """Where an id was chosen: what was predicted, and the candidate before it was taken."""

    next_step: NextStep
    candidate: Candidate
    chosen: int


@dataclass
class Path:
    """A candidate, where it might have gone on otherwise, and how long it is shown.

    It has branched off after `shared` characters, so it is shown longer than that.
    """

    candidate: Candidate
    shared: int = 0
    places: list[BranchPoint] = field(default_factory=list)
    length: int = 0

    def push(self, next_step: NextStep, index: int) -> bool:
        """Takes the id chosen at one more place; whether to go on."""
        self.places.append(BranchPoint(next_step, self.candidate.fork(), index))
        return self.candidate.choose(next_step, index)

    def cut(self, most: float = 1.0) -> None:
        """Sets the length: where possible so long that it is no more probable than `most`."""
        right = self.candidate.right
        least = self.shared + 1
        rarer = next((n for n in range(least, len(right)) if right[n] <= most), least)
        self.length = self.candidate.length(rarer)
        if self.length < rarer:
            self.length = self.candidate.length(least)

    @property
    def right(self) -> float:
        """The probability that what is shown is right."""
        return self.candidate.right[self.length]

    @property
    def text(self) -> str:
        return self.candidate.text[: self.length]


class Branch(NamedTuple):
    """A way to go on otherwise: how probable that is, from where, and by which id."""

    right: float
    place: BranchPoint
    id: int


def alternatives(first: Path, count: int) -> Queries[list[Path]]:
    """At most `count` paths beside the first, the most probable first."""
    found: list[Path] = []
    waiting = _branches(first, count)
    for _ in range(ROUNDS):
        waiting.sort(key=lambda branch: -branch.right)
        bound = found[count - 1].right if len(found) >= count else 0.0
        taken = [branch for branch in waiting[:count] if branch.right > bound]
        if not taken:
            break
        waiting = waiting[len(taken) :]
        paths = yield from _follow(taken)
        for path in paths:
            path.cut(first.right if first.length else 1.0)
            if path.length > path.shared:
                found.append(path)
                waiting += _branches(path, count)
        found.sort(key=lambda path: -path.right)
    return found[:count]


def apart(paths: Sequence[Path]) -> list[Path]:
    """The paths that show something, less what is a prefix of an earlier one or begins with it."""
    kept: dict[str, Path] = {}
    for path in paths:
        text = path.text
        if text and not any(text.startswith(other) or other.startswith(text) for other in kept):
            kept[text] = path
    return list(kept.values())


def _branches(path: Path, count: int) -> list[Branch]:
    """The most probable ways to leave a path before its cut, where it did not branch off itself."""
    branches: list[Branch] = []
    for place in path.places:
        before = place.candidate
        if len(before.chars) >= max(path.length, 1):
            break
        given = place.next_step.distribution
        assert given is not None
        order = np.argsort(-given, kind="stable")[: count + 1].tolist()
        so_far = before.probability
        branches += [Branch(so_far * float(given[i]), place, i) for i in order if i != place.chosen]
    return branches


def _follow(branches: list[Branch]) -> Queries[list[Path]]:
    """Goes on greedily from each branch, all side by side."""
    paths: list[Path] = []
    writes: list[tuple[int, NextStep]] = []
    moves: list[tuple[int, int]] = []
    for number, (right, place, index) in enumerate(branches):
        candidate = place.candidate.fork()
        path = Path(candidate, len(candidate.chars))
        paths.append(path)
        candidate.from_here = right
        if candidate.choose(place.next_step, index):
            writes.append((number, place.next_step))
            moves.append((number, index))
    while moves:
        asks = [number for number, _ in moves]
        next_steps = yield Query(writes, moves, asks, whole=True)
        writes, moves = [], []
        for number, next_step in zip(asks, next_steps, strict=True):
            if paths[number].push(next_step, next_step.id):
                moves.append((number, next_step.id))
    return paths

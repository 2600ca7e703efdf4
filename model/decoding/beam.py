"""Alternatives to the greedy candidate: a beam of paths that branch off what has been decoded.

At each place where a path chose an id, another id might have come. Of all these places and ids, the
ones that make the most probable beginnings are followed, as many at a time as alternatives are
wanted. They start from the states that were kept at these places, so no common beginning is
computed twice. Then others branch off the new paths in the same way. A path leaves another one
before that one's cut, and shows more than what both share, so none is a prefix of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from model.decoding.candidate import Candidate
from model.decoding.next_step import NextStep, Queries, Query

# How many times the most probable branches are followed: the first time those off the greedy path,
# the second time also those off the paths found so far. Each time costs as many steps as the
# longest path has.
ROUNDS = 2


class BranchPoint(NamedTuple):
    """A place where an id was chosen: its next step, and the candidate before it took the id."""

    next_step: NextStep
    candidate: Candidate
    chosen: int


@dataclass
class Path:
    """A candidate, the points where other paths may branch off, and its `length` as shown.

    The path itself branched off another one after `shared` characters. It is an alternative only if
    it shows more than these.
    """

    candidate: Candidate
    shared: int = 0
    points: list[BranchPoint] = field(default_factory=list)
    length: int = 0

    def push(self, next_step: NextStep, index: int) -> bool:
        """Takes the id chosen at the next point; returns whether the candidate goes on."""
        self.points.append(BranchPoint(next_step, self.candidate.fork(), index))
        return self.candidate.choose(next_step, index)

    def cut(self, most: float = 1.0) -> None:
        """Sets the length. Where possible, what is shown is no more probable than `most`.

        For an alternative `most` is the greedy path's probability, which keeps that path first.
        """
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
        """What is shown."""
        return self.candidate.text[: self.length]


class Branch(NamedTuple):
    """An id that was not chosen at a point; `right` is the probability up to and including it."""

    right: float
    point: BranchPoint
    id: int


def alternatives(first: Path, count: int) -> Queries[list[Path]]:
    """At most `count` paths that branch off the `first` or off each other, most probable first."""
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
    """The paths that show something, none a prefix of another; of two such, the earlier stays."""
    kept: dict[str, Path] = {}
    for path in paths:
        text = path.text
        if text and not any(text.startswith(other) or other.startswith(text) for other in kept):
            kept[text] = path
    return list(kept.values())


def _branches(path: Path, count: int) -> list[Branch]:
    """The most probable ids that were not chosen at each point of a path before its cut."""
    branches: list[Branch] = []
    for point in path.points:
        before = point.candidate
        if len(before.chars) >= max(path.length, 1):
            break
        given = point.next_step.distribution
        assert given is not None
        order = np.argsort(-given, kind="stable")[: count + 1].tolist()
        so_far = before.probability
        branches += [Branch(so_far * float(given[i]), point, i) for i in order if i != point.chosen]
    return branches


def _follow(branches: list[Branch]) -> Queries[list[Path]]:
    """Decodes greedily from each branch, all side by side, in the decoder's branches 0, 1, ….

    The greedy path has left branch 0 at its end. So every branch, also branch 0, is first put back
    to the point where it leaves its path, and takes the other id there.
    """
    paths: list[Path] = []
    restores: list[tuple[int, NextStep]] = []
    steps: list[tuple[int, int]] = []
    for number, (right, point, index) in enumerate(branches):
        candidate = point.candidate.fork()
        path = Path(candidate, len(candidate.chars))
        paths.append(path)
        # The other id may be improbable, and is followed all the same. So whether following the
        # path still pays is measured from here, not from the end of the text.
        candidate.from_here = right
        if candidate.choose(point.next_step, index):
            restores.append((number, point.next_step))
            steps.append((number, index))
    while steps:
        wanted = [number for number, _ in steps]
        next_steps = yield Query(restores, steps, wanted, distributions=True)
        restores, steps = [], []
        for number, next_step in zip(wanted, next_steps, strict=True):
            # A path has points only from here on. Branching off at the earlier ones, which are
            # those of another path, would find the same branches twice.
            if paths[number].push(next_step, next_step.id):
                steps.append((number, next_step.id))
    return paths

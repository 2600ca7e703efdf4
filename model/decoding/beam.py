"""Alternatives to the greedy candidate: a beam of paths that branch off what has been decoded.

Wherever a candidate chose an id, another one might have come. Of all these places and ids, those
that make the most probable beginnings are followed, as many at a time as there are branches, from
the states that were kept there. So no common beginning is computed twice. The new paths are
branched off in turn. Each alternative differs from the others before it is cut, so none is a prefix
of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from model.decoding.candidate import Candidate
from model.decoding.next_step import NextStep, Queries, Query

# How many times the most probable branches are followed: first off the greedy path alone, then off
# the paths that this found, too. Each time costs as many steps as the longest path has.
ROUNDS = 2


class BranchPoint(NamedTuple):
    """Where an id was chosen: what was predicted there, and the candidate before it took the id."""

    next_step: NextStep
    candidate: Candidate
    chosen: int


@dataclass
class Path:
    """A candidate, where others may branch off it, and how many characters of it are shown.

    It has itself branched off after `shared` characters, so more than these are shown.
    """

    candidate: Candidate
    shared: int = 0
    points: list[BranchPoint] = field(default_factory=list)
    length: int = 0

    def push(self, next_step: NextStep, index: int) -> bool:
        """Takes the id chosen at the next point; tells whether to go on."""
        self.points.append(BranchPoint(next_step, self.candidate.fork(), index))
        return self.candidate.choose(next_step, index)

    def cut(self, most: float = 1.0) -> None:
        """Sets the length, where possible such that the path is no more probable than `most`."""
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
    """A way to go on otherwise: the probability of all up to there, the point, and the other id."""

    right: float
    point: BranchPoint
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
    """The paths that show something, without those that begin an earlier one or begin with it."""
    kept: dict[str, Path] = {}
    for path in paths:
        text = path.text
        if text and not any(text.startswith(other) or other.startswith(text) for other in kept):
            kept[text] = path
    return list(kept.values())


def _branches(path: Path, count: int) -> list[Branch]:
    """The most probable ways to leave a path before its cut, after it branched off itself."""
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
    """Goes on greedily from each branch, all side by side; their numbers are those of the slots.

    Branch 0 no longer holds the first candidate by then. So each branch, it included, is first put
    back to the point where it leaves its path, and takes the other id there.
    """
    paths: list[Path] = []
    restores: list[tuple[int, NextStep]] = []
    steps: list[tuple[int, int]] = []
    for number, (right, point, index) in enumerate(branches):
        candidate = point.candidate.fork()
        path = Path(candidate, len(candidate.chars))
        paths.append(path)
        # The other id may be improbable, which is known and accepted. How far the path is worth
        # following is measured from there, not from the text's end.
        candidate.from_here = right
        if candidate.choose(point.next_step, index):
            restores.append((number, point.next_step))
            steps.append((number, index))
    while steps:
        wanted = [number for number, _ in steps]
        next_steps = yield Query(restores, steps, wanted, distributions=True)
        restores, steps = [], []
        for number, next_step in zip(wanted, next_steps, strict=True):
            # Only from here on does the path get points: before them it is another path's, and
            # branching off there again would find that path's neighbours twice.
            if paths[number].push(next_step, next_step.id):
                steps.append((number, next_step.id))
    return paths

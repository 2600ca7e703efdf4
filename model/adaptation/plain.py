"""The backend in Python, for machines where nothing was compiled: features, scores and mixing."""

from collections.abc import Sequence
from copy import copy
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.adaptation import tables
from model.adaptation.candidates import (
    GROUPS,
    NEWEST_LEVELS,
    PageCandidate,
    PageCandidates,
    group,
)
from model.adaptation.engine import Collected, Cursor, Engine, Floats, Integers, Stale
from model.adaptation.index import Ids
from model.adaptation.parameters import (
    ACTIVATION,
    LARGEST_FEATURE,
    OWN,
    SHARED,
    Int8s,
    Int16s,
)
from model.adaptation.plain_index import OUTCOMES_COUNTED, Context, PlainIndex
from model.runtime.network_output import NetworkOutput

# The value for yes of a feature that answers yes or no; for no it is 0.
FLAG_SET: Final = 64
# A probability below this counts as this, so that its logarithm is finite.
PROBABILITY_LEAST: Final = np.float32(2.0**-20)
# Sums of probabilities are counted in units of 2⁻²⁴. A sum below PROBABILITY_UNITS_LEAST, which is
# PROBABILITY_LEAST in these units, counts as that.
PROBABILITY_UNITS: Final = 2**24
PROBABILITY_UNITS_LEAST: Final = 2**4
# The sum of a distribution runs in this many lanes.
LANES: Final = 16


class PlainCursor(Cursor):
    """A context that goes on from the end of an index."""

    def __init__(
        self, engine: "PlainEngine", index: PlainIndex, changes: int, context: Context
    ) -> None:
        super().__init__(engine)
        self.engine: PlainEngine = engine
        self.index = index
        self.changes = changes
        self.context = context

    def copy(self) -> "PlainCursor":
        return PlainCursor(self.engine, self.index, self.changes, copy(self.context))

    def check(self) -> None:
        """Raises Stale where the index has changed."""
        if self.changes != self.index.changes:
            raise Stale


class PlainEngine(Engine[PlainIndex, PlainCursor]):
    """Indices and cursors in Python; each call computes one cursor after another."""

    def index(self) -> PlainIndex:
        return PlainIndex(self.symbols)

    def cursor(self, index: PlainIndex) -> PlainCursor:
        return PlainCursor(self, index, index.changes, copy(index.end))

    def push(self, cursors: Sequence[PlainCursor], ids: Sequence[int] | Integers) -> None:
        wide = np.asarray(ids, np.int64)
        self.check_count(len(cursors), wide)
        for cursor in cursors:
            cursor.check()
        for number in wide.tolist():
            self.symbols.check(number)
        for cursor, number in zip(cursors, wide.tolist(), strict=True):
            cursor.context.push(self.symbols, number)

    def mix(self, cursors: Sequence[PlainCursor], network_output: NetworkOutput) -> Floats:
        p, hidden = self.check_network_output(len(cursors), network_output)
        for cursor in cursors:
            cursor.check()
        rows = zip(cursors, p, hidden, strict=True)
        mixed = [self._mix(cursor.index, cursor.context, *row) for cursor, *row in rows]
        return np.array(mixed, np.float32).reshape(p.shape)

    def best(
        self, cursors: Sequence[PlainCursor], network_output: NetworkOutput
    ) -> tuple[Ids, Floats]:
        mixed = self.mix(cursors, network_output)
        return mixed.argmax(axis=1).astype(np.int32), mixed.max(axis=1)

    def collect(self, index: PlainIndex, ids: Ids, probabilities: Floats) -> Collected:
        p = self.check_probabilities(len(ids), probabilities)
        counts, numbers, shared, own = [], [], [], []
        for number, row in zip(ids.tolist(), p, strict=True):
            found = index.find(index.end)
            features = describe(index, index.end, found, row)
            shared.append(features[0])
            own += features[1]
            counts.append(len(found.each))
            numbers += [candidate.number for candidate in found.each]
            index.absorb(np.array([number], np.int32))
        return Collected(
            np.array(counts, np.int32),
            np.array(numbers, np.uint16),
            np.array(shared, np.int16).reshape(-1, SHARED),
            np.array(own, np.int16).reshape(-1, OWN),
        )

    def _mix(self, index: PlainIndex, context: Context, p: Floats, hidden: Int8s) -> Floats:
        found = index.find(context)
        mixed = p.copy()
        if found.each:
            numbers = [candidate.number for candidate in found.each]
            shared, own = describe(index, context, found, p)
            scores = self.scores(np.array(shared, np.int16), hidden, np.array(own, np.int16))
            weights = tables.exponential()[scores - tables.LOWEST]
            mixed[numbers] = np.maximum(p[numbers], PROBABILITY_LEAST) * weights
        lanes = np.zeros(-(-len(p) // LANES) * LANES, np.float32)
        lanes[: len(p)] = mixed
        rows = lanes.reshape(-1, LANES)
        sums = rows[0].copy()
        for row in rows[1:]:
            sums += row
        while len(sums) > 1:
            sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
        mixed /= sums
        return mixed

    def scores(self, shared: Int16s, hidden: Int8s, own: Int16s) -> NDArray[np.int64]:
        """The candidates' scores by the small network of `Parameters`.

        `shared` (SHARED) and `own` (candidates, OWN) are the features, `hidden` (units) is the
        hidden state of the recurrent network.
        """
        primed = self.parameters

        def activations(sums: NDArray[np.int64], layer: int) -> NDArray[np.int64]:
            shifted: NDArray[np.int64] = sums >> int(primed.shifts[layer])
            return shifted.clip(0, ACTIVATION)

        view = primed.view.astype(np.int64) @ hidden.astype(np.int64) >> int(primed.shifts[0])
        view = view.clip(-LARGEST_FEATURE, LARGEST_FEATURE)
        base = primed.first_bias + primed.first_shared.astype(np.int64) @ shared.astype(np.int64)
        base += primed.first_view.astype(np.int64) @ view
        first = activations(base + own.astype(np.int64) @ primed.first_own.T.astype(np.int64), 1)
        mean = first.sum(axis=0) // len(first)
        base = primed.second_bias + primed.second_mean.astype(np.int64) @ mean
        second = activations(base + first @ primed.second_own.T.astype(np.int64), 2)
        sums = int(primed.output_bias[0]) + second @ primed.output.astype(np.int64)
        scores: NDArray[np.int64] = sums >> int(primed.shifts[3])
        return scores.clip(tables.LOWEST, tables.HIGHEST)


def ln(x: float) -> int:
    """The natural logarithm of a positive number, in units of 1/32."""
    bits = int(np.float32(x).view(np.uint32))
    table = tables.logarithm()
    return int(table[bits >> 23]) + int(table[tables.EXPONENTS + (bits >> 16 & 127)])


def share(count: int, total: int) -> int:
    """The logarithm of the share that `count` is of `total`, smoothed; 0 where `total` is 0."""
    return ln(5 * count + 1) - ln(5 * total + 2) if total else 0


def amount(count: int) -> int:
    """The logarithm of a count plus one."""
    return ln(1 + count)


def describe(
    index: PlainIndex, context: Context, found: PageCandidates, p: Floats
) -> tuple[list[int], list[list[int]]]:
    """The features that scores are computed from: of the place, and of each candidate.

    ADAPTATION.md lists them in the same order.
    """
    symbols = index.symbols
    last = context.recent[0] - 1
    length = index.length
    # How often an id followed the last one. At the page's end, the last id has none after it.
    followed = 0
    if last >= 0:
        followed = int(index.singles[last]) - bool(length and index.ids[length - 1] == last)
    top = int(p.argmax())
    units = [int(p[candidate.number] * PROBABILITY_UNITS) for candidate in found.each]
    covered = min(PROBABILITY_UNITS, sum(units))
    rest = PROBABILITY_UNITS - covered
    outcomes, success = min(length, OUTCOMES_COUNTED), group(found.match)
    shared = [
        *(amount(count) for count in found.seen),
        *(amount(count) for count in found.repeats),
        amount(followed),
        8 * found.match,
        amount(len(found.each)),
        ln(max(p[top], PROBABILITY_LEAST)),
        amount(length),
        *(amount(sum(c.seen[level] > 0 for c in found.each)) for level in (0, 2, 4)),
        share(index.right[success], index.tried[success]),
        share(index.right[GROUPS], index.tried[GROUPS]),
        share(outcomes - index.tried[0], outcomes),
        FLAG_SET * context.inside,
        ln(max(covered, PROBABILITY_UNITS_LEAST)) - ln(PROBABILITY_UNITS),
        ln(max(rest, PROBABILITY_UNITS_LEAST)) - ln(PROBABILITY_UNITS),
        amount(context.letters),
        FLAG_SET * (last == symbols.newline),
        FLAG_SET * (last == symbols.space),
    ]

    def of(candidate: PageCandidate) -> list[int]:
        number = candidate.number
        pair = 0 if last < 0 else int(index.pairs[index.pair(last, number)])
        best = candidate is found.best
        return [
            *(share(*counts) for counts in zip(candidate.seen, found.seen, strict=True)),
            *(share(*counts) for counts in zip(candidate.repeats, found.repeats, strict=True)),
            share(pair, followed),
            share(int(index.singles[number]), length),
            *(FLAG_SET * (found.newest.get(level) is candidate) for level in NEWEST_LEVELS),
            FLAG_SET * best,
            8 * found.match * best,
            8 * candidate.longest,
            amount(candidate.longest_age),
            amount(candidate.age),
            ln(max(p[number], PROBABILITY_LEAST)),
            ln(max(np.float32(1) - p[number], PROBABILITY_LEAST)),
            FLAG_SET * int(symbols.letters[number]),
            FLAG_SET * (number == symbols.newline),
            FLAG_SET * (number == symbols.space),
            FLAG_SET * (number == top),
            FLAG_SET * (number == last),
        ]

    return _padded(shared, SHARED), [_padded(of(candidate), OWN) for candidate in found.each]


def _padded(features: list[int], count: int) -> list[int]:
    return features + [0] * (count - len(features))

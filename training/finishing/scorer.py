"""Training of the network that scores candidates: in floating point, by the gradient, by Adam.

What is seen of the recurrent network's hidden state is a linear view of it, learnt with the rest.
The mixed distribution is q(s) = p(s) e^g(s) / Z over the candidates s and q(s) = p(s) / Z over all
other ids, with p the network's and g the score; the loss is the surprise -ln q of what came. So
d loss / d g(s) = q(s) - [s came], and the rest is the chain rule through two hidden layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.adaptation import tables
from model.adaptation.parameters import (
    ACTIVATION,
    INT16,
    INT32,
    LARGEST_FEATURE,
    LARGEST_HIDDEN,
    LARGEST_SHIFT,
    OWN,
    SHARED,
    VIEW,
    Parameters,
)

Floats = NDArray[np.float32]

FIRST, SECOND = 64, 48
PASSES, PASSES_MOST, FEWEST_STEPS = 4, 24, 1000
"""How often the examples are gone over: more often where they are few."""
BATCH = 128
"""Places in one step of the optimiser."""
BLOCK = 16
"""Neighbouring places that stay together when the order is drawn."""
RATE = 2e-3
CLIP = 1.0
DECAY = 1e-4
WARM_UP = 100
"""Steps in which the rate rises."""
BETAS: Final = (0.9, 0.999)
FEATURES = SHARED + OWN
HIDDEN_UNIT = 40
"""What counts as one in a hidden state of −127 to 127: about its deviation."""
FLOOR = np.float32(2.0**-20)
"""What probabilities are not taken for smaller than, as ADAPTATION.md says."""
LEAST_SCORE, MOST_SCORE = (
    np.float32(s / tables.SCORE_UNITS) for s in (tables.LOWEST, tables.HIGHEST)
)
SMALLEST_SUM = np.float32(1e-9)
SAMPLE = 20_000
"""Places by which the features' scale and the hidden units' range are known."""


@dataclass(frozen=True)
class Examples:
    """Places of documents, one after another, and the candidates that a page has at each.

    `begins` (places + 1): where the candidates of each place begin. `hidden` (places, units) is the
    network's hidden state, `shared` (places, SHARED) and `own` (candidates, OWN) are the features,
    `probabilities` (candidates) the network's, `right` (candidates) tells what came. `given`
    (places) is the network's probability of what came.
    """

    begins: NDArray[np.int64]
    hidden: NDArray[np.int8]
    shared: NDArray[np.int16]
    own: NDArray[np.int16]
    probabilities: Floats
    right: NDArray[np.bool_]
    given: Floats

    def __len__(self) -> int:
        return len(self.given)

    def candidates(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The candidates of some places, one after another, and how many each place has."""
        counts = self.begins[places + 1] - self.begins[places]
        first = np.repeat(self.begins[places] - np.cumsum(counts) + counts, counts)
        return first + np.arange(counts.sum()), counts

    def features(self, places: NDArray[np.int64]) -> Floats:
        """The features of all candidates of some places, (candidates, FEATURES)."""
        at, counts = self.candidates(places)
        shared = np.repeat(self.shared[places], counts, axis=0)
        return np.concatenate([shared, self.own[at]], axis=1).astype(np.float32)

    def useful(self) -> NDArray[np.int64]:
        """The places that have candidates."""
        return np.flatnonzero(np.diff(self.begins))

    def sample(self, count: int) -> NDArray[np.int64]:
        """Places spread over all of them."""
        return np.arange(0, len(self), max(1, len(self) // count))


class Scorer:
    """The network: g = v · relu(U h + V h̄ + d) + c, h = relu(W x + Q P r + b).

    x are the features, standardised, r the recurrent network's hidden state, and h̄ is the mean of h
    over the candidates of a place.
    """

    def __init__(self, examples: Examples, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        features = examples.features(examples.sample(SAMPLE))
        self.mean = features.mean(axis=0)
        deviation = features.std(axis=0)
        self.scale = np.where(deviation > 0, deviation, 1).astype(np.float32)
        units = examples.hidden.shape[1]
        shapes = (
            (units, VIEW),
            (VIEW, FIRST),
            (FEATURES, FIRST),
            (FIRST,),
            (FIRST, SECOND),
            (FIRST, SECOND),
            (SECOND,),
            (SECOND,),
        )
        sizes = [math.prod(shape) for shape in shapes]
        self.values = np.zeros(sum(sizes) + 1, np.float32)
        *parts, self.c = np.split(self.values, np.cumsum(sizes))
        self.P, self.Q, self.W, self.b, self.U, self.V, self.d, self.v = (
            part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)
        )
        # The output begins at zero, which is the network alone.
        for matrix in (self.P, self.Q, self.W, self.U, self.V):
            matrix[:] = self._random.normal(0, len(matrix) ** -0.5, matrix.shape)

    def fit(self, examples: Examples) -> None:
        """Goes over the examples some times, with a rate that falls to nothing."""
        useful = examples.useful()
        steps = -(-len(useful) // BATCH)
        passes = max(PASSES, min(PASSES_MOST, -(-FEWEST_STEPS // steps)))
        total = passes * steps
        momentum, square = np.zeros_like(self.values), np.zeros_like(self.values)
        for step, places in enumerate(self._batches(useful, passes), 1):
            gradient = self.gradient(examples, places)
            gradient *= min(1.0, CLIP / max(float(np.linalg.norm(gradient)), 1e-9))
            momentum += (1 - BETAS[0]) * (gradient - momentum)
            square += (1 - BETAS[1]) * (gradient * gradient - square)
            towards = momentum / np.float32(1 - BETAS[0] ** step)
            towards /= np.sqrt(square / np.float32(1 - BETAS[1] ** step)) + np.float32(1e-8)
            rate = RATE * (1 - step / (total + 1)) * min(1.0, step / WARM_UP)
            self.values -= np.float32(rate) * (towards + np.float32(DECAY) * self.values)

    def bits(self, examples: Examples) -> float:
        """The mean surprise of what came, over all places."""
        given = examples.given.astype(np.float64)
        useful = examples.useful()
        for places in np.array_split(useful, 1 + len(useful) // SAMPLE):
            now = self._forward(examples, places)
            right = examples.right[now.at]
            given[places[now.rows[right]]] = now.raised[right]
            given[places] /= now.sums
        return float(-np.log2(given).mean())

    def gradient(self, examples: Examples, places: NDArray[np.int64]) -> Floats:
        """The gradient of the mean loss over some places, each with candidates, in one vector."""
        now = self._forward(examples, places)
        dg = now.raised / now.sums[now.rows] - examples.right[now.at]
        # A score that is cut off has no reason to go on that way.
        dg[((now.scores <= LEAST_SCORE) & (dg > 0)) | ((now.scores >= MOST_SCORE) & (dg < 0))] = 0
        dg /= np.float32(len(places))
        dsecond = dg[:, None] * self.v
        dsecond *= now.second > 0
        dbase = np.add.reduceat(dsecond, now.begins)
        dfirst = dsecond @ self.U.T
        dfirst += (dbase @ self.V.T / now.counts[:, None])[now.rows]
        dfirst *= now.first > 0
        dplace = np.add.reduceat(dfirst, now.begins)
        parts = (
            now.hidden.T @ (dplace @ self.Q.T),
            now.view.T @ dplace,
            now.features.T @ dfirst,
            dfirst.sum(axis=0),
            now.first.T @ dsecond,
            now.mean.T @ dbase,
            dbase.sum(axis=0),
            dg @ now.second,
            dg.sum(keepdims=True),
        )
        return np.concatenate([part.ravel() for part in parts])

    def quantized(self, examples: Examples) -> Parameters:
        """The network in integers, for features as they are."""
        now = self._forward(examples, examples.useful()[:: max(1, len(examples) // SAMPLE)])
        first, second = (_unit(layer, ACTIVATION) for layer in (now.first, now.second))
        seen = _unit(np.abs(now.view), LARGEST_FEATURE)
        view = self.P * np.float32(seen / HIDDEN_UNIT)
        shift0, P, _ = _integers(LARGEST_HIDDEN, view, np.zeros(VIEW, np.float32))
        Q = self.Q * np.float32(1 / seen)
        scaled = np.concatenate([self.W / self.scale[:, None], Q])
        # The shift of the view rounds down, by a half on average.
        bias = self.b - self.mean @ scaled[:FEATURES] + 0.5 * Q.sum(axis=0)
        scaled, bias = scaled * np.float32(first), bias * np.float32(first)
        shift1, W, b = _integers(LARGEST_FEATURE, scaled, bias)
        weights = np.concatenate([self.U, self.V]) * np.float32(second / first)
        shift2, weights, d = _integers(ACTIVATION, weights, self.d * np.float32(second))
        units = tables.SCORE_UNITS
        shift3, v, c = _integers(
            ACTIVATION, self.v[:, None] * np.float32(units / second), self.c * np.float32(units)
        )
        return Parameters(
            view=np.ascontiguousarray(P.T, np.int16),
            first_shared=np.ascontiguousarray(W[:SHARED].T, np.int16),
            first_own=np.ascontiguousarray(W[SHARED:FEATURES].T, np.int16),
            first_view=np.ascontiguousarray(W[FEATURES:].T, np.int16),
            first_bias=b.astype(np.int32),
            second_own=np.ascontiguousarray(weights[:FIRST].T, np.int16),
            second_mean=np.ascontiguousarray(weights[FIRST:].T, np.int16),
            second_bias=d.astype(np.int32),
            output=v[:, 0].astype(np.int16),
            output_bias=c.astype(np.int32),
            shifts=np.array([shift0, shift1, shift2, shift3], np.int32),
        )

    def _batches(self, useful: NDArray[np.int64], passes: int) -> Iterator[NDArray[np.int64]]:
        blocks = np.array_split(useful, max(1, len(useful) // BLOCK))
        for _ in range(passes):
            order = self._random.permutation(len(blocks))
            drawn = np.concatenate([blocks[number] for number in order])
            yield from (b for b in np.split(drawn, range(BATCH, len(drawn), BATCH)) if len(b))

    def _forward(self, examples: Examples, places: NDArray[np.int64]) -> _Pass:
        at, counts = examples.candidates(places)
        rows, begins = np.repeat(np.arange(len(places)), counts), np.cumsum(counts) - counts
        features = (examples.features(places) - self.mean) / self.scale
        hidden = examples.hidden[places] * np.float32(1 / HIDDEN_UNIT)
        view = hidden @ self.P
        first = np.maximum(features @ self.W + (view @ self.Q + self.b)[rows], 0)
        mean = np.divide(np.add.reduceat(first, begins), counts[:, None], dtype=np.float32)
        second = np.maximum(first @ self.U + (mean @ self.V + self.d)[rows], 0)
        scores = (second @ self.v + self.c).clip(LEAST_SCORE, MOST_SCORE)
        p = examples.probabilities[at]
        raised = np.maximum(p, FLOOR) * np.exp(scores)
        sums = np.maximum(np.add.reduceat(raised - p, begins) + np.float32(1), SMALLEST_SUM)
        return _Pass(
            at,
            counts,
            rows,
            begins,
            features,
            hidden,
            view,
            first,
            mean,
            second,
            scores,
            raised,
            sums,
        )


@dataclass(frozen=True)
class _Pass:
    """What is computed for some places with candidates.

    `at` are the candidates, `rows` the number of each one's place; `begins` and `counts` where
    those of a place begin and how many they are. `raised` is e^score times the probability, `sums`
    what all shares of a place sum up to.
    """

    at: NDArray[np.int64]
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]
    begins: NDArray[np.int64]
    features: Floats
    hidden: Floats
    view: Floats
    first: Floats
    mean: Floats
    second: Floats
    scores: Floats
    raised: Floats
    sums: Floats


def _unit(activations: Floats, largest: int) -> float:
    """What one is as an integer, a power of two, so that no activation is above `largest`."""
    return float(2.0 ** np.floor(np.log2(largest / max(1.0, activations.max(initial=0)))))


def _integers(largest: int, weights: Floats, bias: Floats) -> tuple[int, Floats, Floats]:
    """Weights (inputs, units) and bias scaled by a power of two and rounded, and that power.

    It is the highest with which weights fit in 16 bits, and sums of inputs up to `largest` in 32.
    """
    sums = np.abs(weights).sum(axis=0) * largest + np.abs(bias)
    # Roundings may add up to half of the largest input for each weight.
    room = INT32 - largest * len(weights)
    most = min(INT16 / max(float(np.abs(weights).max()), 1e-9), room / max(float(sums.max()), 1e-9))
    shift = int(np.clip(np.floor(np.log2(most)), 0, LARGEST_SHIFT))
    return shift, np.rint(weights * 2.0**shift), np.rint(bias * 2.0**shift)

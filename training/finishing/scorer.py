"""The network that scores candidates, and its training: floating point, gradients by hand, Adam.

It reads a linear view of the recurrent network's hidden state, which is learnt with the rest.
Let p be the network's probabilities and g the scores. The mixed distribution is then
q(s) = p(s) e^g(s) / Z for the candidates s, and q(s) = p(s) / Z for all other ids. The loss
is -ln q of the id that came, so that d loss / d g(s) = q(s) - [s came]. The rest is the chain
rule through two hidden layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.adaptation import tables
from model.adaptation.parameters import OWN, SHARED, VIEW
from training.finishing.examples import Examples, Floats

FEATURES = SHARED + OWN
# Units of the two hidden layers. training/experiments.md compares other sizes.
FIRST_UNITS, SECOND_UNITS = 64, 48

# Training makes at least LEAST_PASSES passes over the examples. It makes more, up to MOST_PASSES,
# where it would otherwise take fewer than LEAST_STEPS steps.
LEAST_PASSES, MOST_PASSES, LEAST_STEPS = 4, 24, 1000
# Places in one step of the optimiser.
BATCH_PLACES = 128
# This many neighbouring places stay together when the order is drawn.
BLOCK_PLACES = 16
LEARNING_RATE = 2e-3
# Steps over which the rate rises, while Adam's moments are still rough.
WARM_UP_STEPS = 100
LARGEST_GRADIENT_NORM = 1.0
WEIGHT_DECAY = 1e-4
ADAM_BETAS: Final = (0.9, 0.999)

# Hidden states are integers from -127 to 127. Divided by this, about their standard deviation, they
# have the size of the standardised features.
HIDDEN_DEVIATION = 40
# Smaller probabilities of candidates are raised to this one (model/adaptation/ADAPTATION.md).
LEAST_PROBABILITY = np.float32(2.0**-20)
LEAST_SCORE, MOST_SCORE = (
    np.float32(s / tables.SCORE_UNITS) for s in (tables.LOWEST, tables.HIGHEST)
)
# Rounding can make the sum of a distribution 0 or less where scores are very low.
LEAST_SUM = np.float32(1e-9)
# About this many places are the sample for the features' scale and the hidden units' range, and for
# the size of a batch without gradients.
SAMPLE_PLACES = 20_000


class Scorer:
    """The network: g = v · relu(U h + V h̄ + d) + c, with h = relu(W x + Q P r + b).

    x are the candidate's standardised features. r is the recurrent network's hidden state at its
    place, and h̄ the mean of h over all candidates of the place. All weights are views into one
    vector, `values`.
    """

    def __init__(self, examples: Examples, seed: int) -> None:
        """Takes the features' mean and scale from the examples, and draws weights from the seed."""
        self._random = np.random.default_rng(seed)
        features = examples.features(examples.spread(SAMPLE_PLACES))
        self.mean = features.mean(axis=0)
        deviation = features.std(axis=0)
        self.scale = np.where(deviation > 0, deviation, 1).astype(np.float32)
        units = examples.hidden.shape[1]
        shapes = (
            (units, VIEW),
            (VIEW, FIRST_UNITS),
            (FEATURES, FIRST_UNITS),
            (FIRST_UNITS,),
            (FIRST_UNITS, SECOND_UNITS),
            (FIRST_UNITS, SECOND_UNITS),
            (SECOND_UNITS,),
            (SECOND_UNITS,),
        )
        sizes = [math.prod(shape) for shape in shapes]
        self.values = np.zeros(sum(sizes) + 1, np.float32)
        *parts, self.c = np.split(self.values, np.cumsum(sizes))
        self.P, self.Q, self.W, self.b, self.U, self.V, self.d, self.v = (
            part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)
        )
        # The output layer begins at 0, so that at first every score is 0 and q = p.
        for matrix in (self.P, self.Q, self.W, self.U, self.V):
            matrix[:] = self._random.normal(0, len(matrix) ** -0.5, matrix.shape)

    def fit(self, examples: Examples) -> None:
        """Trains on the examples in several passes, at a learning rate that falls to zero."""
        places_to_learn = examples.with_candidates()
        steps = -(-len(places_to_learn) // BATCH_PLACES)
        passes = max(LEAST_PASSES, min(MOST_PASSES, -(-LEAST_STEPS // steps)))
        total = passes * steps
        momentum, square = np.zeros_like(self.values), np.zeros_like(self.values)
        for step, places in enumerate(self._batches(places_to_learn, passes), 1):
            gradient = self.gradient(examples, places)
            gradient *= min(1.0, LARGEST_GRADIENT_NORM / max(float(np.linalg.norm(gradient)), 1e-9))
            momentum += (1 - ADAM_BETAS[0]) * (gradient - momentum)
            square += (1 - ADAM_BETAS[1]) * (gradient * gradient - square)
            towards = momentum / np.float32(1 - ADAM_BETAS[0] ** step)
            towards /= np.sqrt(square / np.float32(1 - ADAM_BETAS[1] ** step)) + np.float32(1e-8)
            rate = LEARNING_RATE * (1 - step / (total + 1)) * min(1.0, step / WARM_UP_STEPS)
            self.values -= np.float32(rate) * (towards + np.float32(WEIGHT_DECAY) * self.values)

    def bits(self, examples: Examples) -> float:
        """The mean surprise of the ids that came, over all places, in bits."""
        given = examples.given.astype(np.float64)
        scored = examples.with_candidates()
        for places in np.array_split(scored, 1 + len(scored) // SAMPLE_PLACES):
            now = self.forward(examples, places)
            right = examples.right[now.at]
            given[places[now.rows[right]]] = now.raised[right]
            given[places] /= now.sums
        return float(-np.log2(given).mean())

    def gradient(self, examples: Examples, places: NDArray[np.int64]) -> Floats:
        """The gradient of the mean loss over some places, each with candidates, in one vector."""
        now = self.forward(examples, places)
        dg = now.raised / now.sums[now.rows] - examples.right[now.at]
        # A score at its limit is cut off, so no gradient may push it further out. Otherwise
        # weights would grow without bound and without effect.
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

    def _batches(self, places: NDArray[np.int64], passes: int) -> Iterator[NDArray[np.int64]]:
        """The places in batches, in a new random order in each pass."""
        blocks = np.array_split(places, max(1, len(places) // BLOCK_PLACES))
        for _ in range(passes):
            order = self._random.permutation(len(blocks))
            drawn = np.concatenate([blocks[number] for number in order])
            yield from (
                b for b in np.split(drawn, range(BATCH_PLACES, len(drawn), BATCH_PLACES)) if len(b)
            )

    def forward(self, examples: Examples, places: NDArray[np.int64]) -> ForwardPass:
        """Scores the candidates of some places, each of which has candidates."""
        at, counts = examples.candidates(places)
        rows, begins = np.repeat(np.arange(len(places)), counts), np.cumsum(counts) - counts
        features = (examples.features(places) - self.mean) / self.scale
        hidden = examples.hidden[places] * np.float32(1 / HIDDEN_DEVIATION)
        view = hidden @ self.P
        first = np.maximum(features @ self.W + (view @ self.Q + self.b)[rows], 0)
        mean = np.divide(np.add.reduceat(first, begins), counts[:, None], dtype=np.float32)
        second = np.maximum(first @ self.U + (mean @ self.V + self.d)[rows], 0)
        scores = (second @ self.v + self.c).clip(LEAST_SCORE, MOST_SCORE)
        p = examples.probabilities[at]
        raised = np.maximum(p, LEAST_PROBABILITY) * np.exp(scores)
        sums = np.maximum(np.add.reduceat(raised - p, begins) + np.float32(1), LEAST_SUM)
        return ForwardPass(
            at=at,
            counts=counts,
            rows=rows,
            begins=begins,
            features=features,
            hidden=hidden,
            view=view,
            first=first,
            mean=mean,
            second=second,
            scores=scores,
            raised=raised,
            sums=sums,
        )


@dataclass(frozen=True)
class ForwardPass:
    """The results of a forward pass over some places, each of which has candidates.

    `at` (candidates) are the indices of all their candidates, and `rows` (candidates) the place of
    each. `begins` and `counts` (places) tell where the candidates of each place begin, and how many
    there are. `features`, `hidden`, `view`, `first`, `mean` and `second` are x, r, P r, h, h̄ and
    the second hidden layer. `scores` (candidates) is g, `raised` (candidates) is p e^g, and `sums`
    (places) is Z.
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

"""Random ids are absorbed, taken back, pushed and mixed, in C and in Python alike.

As a program it tests the library that is named, which may be one built with sanitizers:
`python -m tests.model.adaptation.fuzzing LIBRARY SEED…`.
"""

import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from model.adaptation import native
from model.adaptation.engine import Engine, Floats
from model.adaptation.index import LIMIT, Symbols
from model.adaptation.native import NativeEngine
from model.adaptation.plain import PlainEngine
from model.vocabulary import Vocabulary
from tests.model.adaptation.primed import network_output, random_parameters

VOCABULARY = Vocabulary("\n abcdef._1é", byte_fallback=False)
PIECES = [VOCABULARY.encode(piece) for piece in ("abc", "\n    a", " 1.a", "_b", "é", "def f\n")]


def distributions(random: np.random.Generator, rows: int) -> Floats:
    """Distributions from flat to almost certain, with zeros."""
    p = random.gamma(random.choice([0.02, 0.3, 5.0], (rows, 1)), size=(rows, VOCABULARY.size))
    p /= np.maximum(p.sum(axis=1, keepdims=True), 1e-300)
    return p.astype(np.float32)


def run(seed: int) -> None:
    """One sequence of calls; raises AssertionError where the backends differ."""
    chosen, random = Random(seed), np.random.default_rng(seed)
    symbols = Symbols.of(VOCABULARY)
    units = chosen.randrange(1, 600)
    parameters = random_parameters(seed, units=units)
    engines: list[Engine[Any, Any]] = [
        NativeEngine(parameters, symbols),
        PlainEngine(parameters, symbols),
    ]
    one, other = (engine.index() for engine in engines)
    for _ in range(6):
        ids = np.concatenate(chosen.choices(PIECES, k=chosen.choice([1, 9, 60])))
        kept = chosen.choice([one.length, one.length // 2, max(0, one.length - 3), 0])
        for index in (one, other):
            index.truncate(kept)
            index.absorb(ids)
        assert one.content() == other.content()
        cursors = [engines[0].cursor(one)], [engines[1].cursor(other)]
        for _ in range(3):
            number = chosen.randrange(VOCABULARY.size)
            for row in cursors:
                row.append(row[-1].copy())
                row[-1].push(number)
        said = network_output(distributions(random, 4), seed, units)
        mixed = [engine.mix(row, said) for engine, row in zip(engines, cursors, strict=True)]
        best = [engine.best(row, said) for engine, row in zip(engines, cursors, strict=True)]
        assert mixed[0].tobytes() == mixed[1].tobytes()
        assert [part.tobytes() for part in best[0]] == [part.tobytes() for part in best[1]]
    full = engines[0].index()
    full.absorb(np.resize(np.concatenate(PIECES), LIMIT))
    engines[0].mix([engines[0].cursor(full)], network_output(distributions(random, 1), seed, units))
    full.truncate(chosen.randrange(LIMIT))
    ids = ids[:200]
    found = [
        e.collect(e.index(), ids, distributions(np.random.default_rng(1), len(ids)))
        for e in engines
    ]
    assert (found[0].own == found[1].own).all()


if __name__ == "__main__":
    native.LIBRARY = Path(sys.argv[1])
    for argument in sys.argv[2:]:
        run(int(argument))

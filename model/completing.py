"""One completion in one process: the whole text absorbed from its start, then decoded.

This is the reference for the invariant: whatever a service does to spare itself work, its answers
equal this one's, bit for bit.
"""

from dataclasses import dataclass

import numpy as np

from model.decoding import Completion, Greedy, Options
from model.runtime import Runtime
from model.runtime.arithmetic import Floats
from model.vocabulary import Vocabulary


@dataclass(frozen=True)
class Answer:
    """A completion, and the most probable next characters with their probabilities."""

    completion: Completion
    next: tuple[tuple[str, float], ...]


def complete(runtime: Runtime, prefix: str, options: Options | None = None, top: int = 0) -> Answer:
    """The completion of a prefix; raises TextError where the vocabulary cannot spell it."""
    ids = runtime.vocabulary.encode(prefix)
    pool = runtime.pool(1)
    slot = pool.acquire()
    pool.start(slot)
    pool.absorb([slot], [ids])
    following: tuple[tuple[str, float], ...] = ()
    if top:
        following = next_characters(runtime.vocabulary, pool.probabilities([slot])[0], top)
    greedy = Greedy(runtime.vocabulary, options or Options())
    (choice,), (probability,) = pool.best([slot])
    while greedy.push(int(choice), float(probability)):
        (choice,), (probability,) = pool.follow([slot], [choice])
    return Answer(greedy.completion(), following)


def next_characters(
    vocabulary: Vocabulary, probabilities: Floats, top: int
) -> tuple[tuple[str, float], ...]:
    """The `top` most probable characters of a distribution over ids, the first id first in ties.

    Bytes that begin a character outside the vocabulary are no characters, and are left out.
    """
    characters = probabilities[: len(vocabulary.characters)]
    order = np.argsort(-characters, kind="stable")[:top]
    return tuple((vocabulary.characters[i], float(characters[i])) for i in order)

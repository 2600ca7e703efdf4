"""One completion in one process: the whole text absorbed from its start, then decoded.

This is the reference for the invariant: whatever a service does to spare itself work, its answers
equal this one's, bit for bit.
"""

from dataclasses import dataclass

from model.decoder import Decoder
from model.decoding import BEFORE, Completion, Options
from model.outlook import next_characters, outlooks
from model.runtime import Runtime


@dataclass(frozen=True)
class Answer:
    """A completion, the other candidates, and the most probable next characters."""

    completion: Completion
    alternatives: tuple[Completion, ...]
    next: tuple[tuple[str, float], ...]


def complete(runtime: Runtime, prefix: str, options: Options | None = None, top: int = 0) -> Answer:
    """The completion of a prefix; raises TextError where the vocabulary cannot spell it."""
    options = options or Options()
    vocabulary = runtime.vocabulary
    ids = vocabulary.encode(prefix)
    decoder = Decoder(vocabulary, options, runtime.calibration, prefix[-BEFORE:], len(prefix))
    pool = runtime.pool(decoder.width)
    slots = [pool.acquire() for _ in range(decoder.width)]
    pool.start(slots[0])
    pool.absorb(slots[:1], [ids])
    following: tuple[tuple[str, float], ...] = ()
    if top:
        following = next_characters(vocabulary, pool.probabilities(slots[:1])[0], top)
    while turn := decoder.turn:
        for branch, state in turn.writes:
            pool.write(slots[branch], state)
        if turn.moves:
            pool.step([slots[branch] for branch, _ in turn.moves], [i for _, i in turn.moves])
        asked = [slots[branch] for branch in turn.asks]
        states = [pool.read(slot) if decoder.shares else None for slot in asked]
        decoder.take(outlooks(pool, asked, turn.whole, states))
    return Answer(decoder.completion, decoder.alternatives, following)

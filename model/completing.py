"""One completion in one process: the whole text absorbed from its start, then decoded.

This is the reference for the invariant: whatever a service does to spare itself work, its answers
equal this one's, bit for bit.
"""

from dataclasses import dataclass

from model.adaptation import Adaptation, page_text, window_start
from model.decoding.branches import Branches
from model.decoding.decoder import Decoder
from model.decoding.next_step import next_characters, predicted
from model.decoding.options import CHARACTERS_BEFORE, Completion, Options
from model.runtime import Pool
from model.served import Runtime


@dataclass(frozen=True)
class CompletedText:
    """A completion, the other candidates, and the most probable next characters."""

    completion: Completion
    alternatives: tuple[Completion, ...]
    next: tuple[tuple[str, float], ...]


def complete(
    runtime: Runtime, prefix: str, options: Options | None = None, top: int = 0
) -> CompletedText:
    """The completion of a prefix; raises TextError where the vocabulary cannot spell it."""
    options = options or Options()
    vocabulary, adaptation = runtime.vocabulary, runtime.adaptation
    ids = vocabulary.encode(prefix)
    decoder = Decoder(
        vocabulary, options, runtime.calibration, prefix[-CHARACTERS_BEFORE:], len(prefix), top > 0
    )
    pool = runtime.pool(decoder.width)
    slots = [pool.acquire() for _ in range(decoder.width)]
    pool.start(slots[0])
    pool.absorb(slots[:1], [ids])
    branches = Branches()
    branches.slots = slots
    if adaptation is not None:
        page = adaptation.page()
        window = prefix[window_start(len(prefix)) :]
        page.follow(page_text(window, len(prefix), options.suffix))
        branches.begin(page.cursor())
    run(decoder, pool, branches, adaptation)
    following: tuple[tuple[str, float], ...] = ()
    if decoder.next is not None:
        following = next_characters(vocabulary, decoder.next, top)
    return CompletedText(decoder.completion, decoder.alternatives, following)


def run(decoder: Decoder, pool: Pool, branches: Branches, adaptation: Adaptation | None) -> None:
    """Decodes to the end; the first branch is at the end of the text, in the pool and on its page.

    `adaptation` is what the page was made by, None where there is no page.
    """
    while query := decoder.query:
        if steps := branches.move(pool, query):
            pool.step([slot for slot, _ in steps], [index for _, index in steps])
        asked = [branches.slots[branch] for branch in query.asks]
        states = [pool.read(slot) if decoder.shares else None for slot in asked]
        cursors = branches.cursors(query.asks, decoder.shares)
        decoder.take(predicted(pool, adaptation, asked, cursors, query.whole, states))

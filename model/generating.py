"""Generating text in one process: each character that is drawn is read as the next input."""

import secrets
from collections.abc import Iterator

from model.decoding.options import Options
from model.decoding.sampling import Sampler, Sampling
from model.served import Runtime
from model.text_form import START


def generate(
    runtime: Runtime, text: str, sampling: Sampling, seed: int | None = None
) -> Iterator[str]:
    """The characters that follow a text, without end. The same seed gives the same characters.

    A line end is written as the text has it. Without a seed, a random one is used. Raises
    TextError, before the first character, if the vocabulary cannot spell the text.
    """
    begun = runtime.vocabulary.encode(START.form(text))
    end = START.after(text)
    answers = end.answers(Options())
    sampler = Sampler(
        runtime.vocabulary, sampling, secrets.randbits(64) if seed is None else seed, end.read
    )
    pool = runtime.pool(1)
    slot = pool.acquire()
    pool.start(slot)
    pool.absorb([slot], [begun])
    while True:
        drawn, character = sampler.draw(pool.probabilities([slot])[0])
        pool.step([slot], [drawn])
        if character:
            yield answers.text(character)

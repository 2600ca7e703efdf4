"""Texts for the recipe's tests: code and prose that differ for each seed."""

import random
from collections.abc import Callable

from training.texts.sources import Source

WORDS = [
    *("network", "table", "row", "state", "window", "weight"),
    *("gate", "page", "reader", "stream", "cursor", "lane"),
]

Archive = Callable[..., Source]


def code(seed: int, functions: int = 6) -> str:
    """Python code that shares no line with that of another seed."""
    chance = random.Random(seed)
    name = "".join(chr(97 + int(digit)) for digit in str(seed))
    parts = [f'"""The module {name} of the {chance.choice(WORDS)}."""\n']
    for i in range(functions):
        a, b, c = chance.sample(WORDS, 3)
        parts.append(
            f"\n\ndef {a}_of_{b}_{name}_{i}({b}_{name}: int, {c}: str) -> str:\n"
            f'    """Joins the {a} {name}{i} to the {b} and the {c}."""\n'
            f"    return {c} + str({b}_{name}) + {a}_{name}.{c}({i})\n"
        )
    return "".join(parts)


def prose(seed: int, paragraphs: int = 5) -> str:
    """Sentences that differ from those of any other seed."""
    chance = random.Random(seed)
    lines = [
        f"In every part the {chance.choice(WORDS)} gives the {chance.choice(WORDS)} "
        f"number {seed}{i} and then waits for {chance.choice(WORDS)}."
        for i in range(paragraphs)
    ]
    return "\n\n".join(lines) + "\n"

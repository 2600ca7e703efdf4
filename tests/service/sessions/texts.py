"""Texts that are compressed well, badly, and hardly at all."""

import random
import string


def typed_text(length: int) -> str:
    """Text that is compressed about as well as what people write."""
    drawn = random.Random(1)
    words = ["".join(drawn.choices(string.ascii_lowercase, k=n % 8 + 2)) for n in range(300)]
    return " ".join(drawn.choices(words, k=length))[:length]


def random_text(length: int) -> str:
    """Text that is compressed as badly as ASCII can be."""
    return "".join(random.Random(2).choices(string.printable, k=length))


def astral_text(length: int) -> str:
    """Text that is compressed as badly as any can be."""
    drawn = random.Random(3)
    return "".join(chr(drawn.randrange(0x10000, 0x10FFFF)) for _ in range(length))

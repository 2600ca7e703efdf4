"""The validation sets, and which characters of them are typed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training import corpus
from training.corpus import Document, Selection
from training.texts.library import read_library

SETS = ("python", "packages", "newer", "prose")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Span:
    """The typist types the characters from `begin` to `end` of each document; those before them
    is given.

    Bits are counted over the document's first `bits` characters.
    """

    begin: int = 1500
    end: int = 1800
    bits: int = 8000

    def __post_init__(self) -> None:
        if not 0 < self.begin < self.end:
            raise ValueError(
                f"characters {self.begin} to {self.end}: "
                "the first must be above 0 and below the second"
            )
        if self.bits < 1:
            raise ValueError(f"bits over {self.bits} characters: at least 1")


@dataclass(frozen=True)
class TextSet:
    """A validation set: documents long enough to be typed in, each read on its own."""

    name: str
    names: tuple[str, ...]
    texts: tuple[str, ...]

    def digest(self, span: Span) -> str:
        """A digest of the texts, their order and the span, which together fix what is measured."""
        hashed = hashlib.sha256(repr(span).encode())
        for text in self.texts:
            hashed.update(hashlib.sha256(text[: max(span.end, span.bits)].encode()).digest())
        return hashed.hexdigest()[:16]


def standard_library() -> list[Document]:
    """The files of this Python's standard library that are never trained on."""
    return list(read_library().validation)


def own_code() -> list[Document]:
    """This repository's own code, which is newer than any training text, the peers' included."""
    folders = [ROOT / name for name in ("model", "nextchar", "service", "training")]
    return list(corpus.documents(folders, Selection(include=("*.py",)), []))


def folder(path: Path) -> list[Document]:
    """The documents of a folder, or one file; raises CorpusError where neither is there."""
    return list(corpus.documents([path], Selection(), []))


def text_set(name: str, documents: Sequence[Document], span: Span, most: int) -> TextSet:
    """At most `most` documents, spread evenly over all that are long enough.

    Raises ValueError where none is.
    """
    long = [d for d in documents if len(d.text) >= span.end]
    if not long:
        raise ValueError(f"{name}: none of {len(documents)} documents has {span.end} characters")
    count = min(most, len(long))
    taken = [long[number * len(long) // count] for number in range(count)]
    return TextSet(name, tuple(d.path for d in taken), tuple(d.text for d in taken))

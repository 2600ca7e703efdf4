"""The manifest of the texts: the files of each source in each corpus, and a sentence on them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from model.checkpoint import replace
from training.errors import CorpusError


@dataclass(frozen=True)
class Share:
    """The files of one source in one corpus.

    `corpus` is the corpus's folder below OUT, such as `python/train`. `part` is the share of the
    source's files for it that was taken, at random.
    """

    corpus: str
    source: str
    version: str
    licence: str
    files: int
    characters: int
    part: float = 1.0


def write(out: Path, shares: Iterable[Share]) -> None:
    """Writes these shares to OUT/manifest.json, where the shares of other corpora are kept."""
    new = list(shares)
    corpora = {s.corpus for s in new}
    old = [s for s in read(out) if s.corpus not in corpora] if _file(out).exists() else []
    rows = [asdict(s) for s in sorted([*old, *new], key=lambda s: (s.corpus, s.source))]
    replace(_file(out), (json.dumps(rows, indent=1) + "\n").encode())


def read(out: Path) -> list[Share]:
    """The shares in OUT/manifest.json; raises CorpusError."""
    try:
        return [Share(**row) for row in json.loads(_file(out).read_text(encoding="utf-8"))]
    except OSError as error:
        raise CorpusError(
            f"{_file(out)}: {error.strerror}; nextchar texts {out} makes it"
        ) from None
    except (ValueError, TypeError) as error:
        raise CorpusError(f"{_file(out)}: {error}") from None


def describe(out: Path, corpus: str) -> str:
    """A sentence for the card on a corpus's training text: its sources, licences and characters.

    `corpus` is `python` or `prose`. Raises CorpusError.
    """
    shares = [s for s in read(out) if s.corpus == f"{corpus}/train"]
    if not shares:
        raise CorpusError(f"{_file(out)}: nothing of {corpus}/train; make it without --only")
    listed = []
    for part in sorted({s.part for s in shares}, reverse=True):
        sources = ", ".join(
            f"{s.source}{' ' + s.version if s.version else ''} "
            f"({s.licence}, {s.characters / 1e6:.1f} M)"
            for s in sorted(shares, key=lambda s: -s.characters)
            if s.part == part
        )
        listed.append(
            sources if part == 1 else f"a random {round(100 * part)} % of the files of {sources}"
        )
    kind = {"python": "Python source", "prose": "technical prose in English"}[corpus]
    return (
        f"{sum(s.characters for s in shares) / 1e6:.1f} million characters of {kind}, without "
        "tests, vendored copies, generated files, tables and near-duplicates, by "
        f"`nextchar texts`: {'; '.join(listed)}."
    )


def _file(out: Path) -> Path:
    return out / "manifest.json"

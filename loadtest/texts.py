"""The texts that typists type: those of a folder, or the standard library of this Python."""

import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from loadtest.errors import LoadTestError

SHORTEST_CHARACTERS = 500
MOST_TEXTS = 200
MOST_OPENED_CHARACTERS = 2000


@dataclass(frozen=True)
class Passage:
    """A text; its first `opened` characters are already there when the typist begins."""

    text: str
    opened: int


def load_texts(place: Path | None) -> tuple[str, ...]:
    """The first MOST_TEXTS texts of a file or folder; by default, of Python's standard library.

    Hidden files, files that are not UTF-8 and files under SHORTEST_CHARACTERS are left out.
    Raises LoadTestError if no text is left.
    """
    if place is None:
        files: Iterable[Path] = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    elif place.is_file():
        files = [place]
    else:
        files = sorted(f for f in place.rglob("[!.]*") if f.is_file())
    texts: list[str] = []
    for file in files:
        if len(texts) == MOST_TEXTS:
            break
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if len(text) >= SHORTEST_CHARACTERS:
            texts.append(text)
    if not texts:
        raise LoadTestError(
            f"{place}: no text to type; name a file or folder with UTF-8 text of at least "
            f"{SHORTEST_CHARACTERS} characters, or leave out --text"
        )
    return tuple(texts)


def choose_passage(texts: tuple[str, ...], random: Random) -> Passage:
    """A text to be typed from a random line on.

    Up to MOST_OPENED_CHARACTERS of the lines before that line are already there.
    """
    text = random.choice(texts)
    cursor = text.rfind("\n", 0, random.randrange(len(text) * 3 // 4)) + 1
    begin = max(0, cursor - MOST_OPENED_CHARACTERS)
    if begin:
        begin = text.find("\n", begin, cursor) + 1 or begin
    return Passage(text[begin:], cursor - begin)

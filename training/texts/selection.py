"""Which files of a source are worth reading: own code or prose, no tests, nothing generated."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import PurePosixPath

NEVER = frozenset(
    {
        *("flask", "click", "jinja2", "networkx", "hypothesis"),
        *("attr", "attrs", "cffi", "boto3", "moto", "jedi", "parso"),
    }
)
"""Packages kept for a comparison: neither trained nor tuned on, nor are vendored copies of them."""

VENDORED = frozenset(
    {
        *("_vendor", "vendor", "_vendored", "vendored", "third_party", "extern", "_extern"),
        *("external", "_external", "externals", "subprojects", "site-packages", "node_modules"),
    }
)
_TESTS = ("test", "tests", "testing", "test-data", "conftest", "testdata", "_test*", "*_tests")
_TEST_FILES = ("test_*.py", "*_test.py", "conftest.py", "tests.py")

MINIMUM, MAXIMUM = 200, 200_000
"""Characters that a document has at least and at most."""

PROSE_SUFFIXES = (".rst", ".md", ".txt")
_GENERATED = re.compile(
    r"(auto-?generated|generated (by|from|automatically)|do not edit|automatically generated)", re.I
)
_LISTS = ("change*", "news*", "history*", "sources.txt", "requirements*", "authors*", "licen*")
_ENTRY_LINE = re.compile(r"""\s*[\[({-]*\s*("(?!"")|'(?!'')|\d)""")
_PROSE_LINE = re.compile(r"(?:\W*[A-Za-z][\w'’\-]*\W+){5}")
_MARKUP_LINE = re.compile(r"^(\.\. |\s*:[\w\- ]+:|[=\-~^\"'#*+`]{3,}$|\|.*\||[-=+ ]{5,}$|\.\. _)")


def own(path: str, skip: Iterable[str] = ()) -> bool:
    """Whether a path names a source's own text: no copy of another's, no test, no hidden folder.

    `skip` are patterns of paths, or of any one part of a path, that are passed over as well.
    """
    parts = PurePosixPath(path).parts
    folders = [p.lower() for p in parts[:-1]]
    if any(p in VENDORED or p in NEVER or p.startswith(".") for p in folders):
        return False
    if any(fnmatch(p, pattern) for p in folders for pattern in _TESTS):
        return False
    if any(fnmatch(parts[-1], pattern) for pattern in _TEST_FILES):
        return False
    return not any(fnmatch(path, s) or any(fnmatch(p, s) for p in parts) for s in skip)


def is_code(path: str, text: str) -> bool:
    """Whether a file is Python that somebody wrote, neither very short nor long, and no table."""
    if not path.endswith(".py") or not MINIMUM <= len(text) <= MAXIMUM:
        return False
    if _GENERATED.search(text[:1000]):
        return False
    lines = text.split("\n")
    if max(map(len, lines)) > 1000:
        return False
    written = sum(map(len, text.split()))
    digits = sum(map(text.count, "0123456789"))
    entries = sum(map(bool, map(_ENTRY_LINE.match, lines)))
    return digits <= 0.15 * written and entries <= 0.6 * len(lines)


def is_prose(path: str, text: str) -> bool:
    """Whether a file is mostly sentences: no table, no dump of an API, no list of changes."""
    name = PurePosixPath(path).name.lower()
    if not name.endswith(PROSE_SUFFIXES) or not MINIMUM <= len(text) <= MAXIMUM:
        return False
    if any(fnmatch(name, pattern) for pattern in _LISTS) or _GENERATED.search(text[:1000]):
        return False
    return prose_share(text) >= 0.5


def prose_share(text: str) -> float:
    """Characters in lines that read like a sentence, over the characters of all lines."""
    lines = [line for line in text.split("\n") if line.strip()]
    total = sum(map(len, lines))
    sentences = sum(
        len(line)
        for line in lines
        if not _MARKUP_LINE.match(line) and _PROSE_LINE.match(line) and line.count("http") < 2
    )
    return sentences / total if total else 0.0

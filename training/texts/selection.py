"""Chooses the files of a source that are worth reading: its own code or prose, written by people.

Tests, vendored copies, generated files and tables are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import PurePosixPath

# Packages that are reserved for a comparison. Nothing is trained or tuned on them, nor on vendored
# copies of them.
NEVER = frozenset(
    {
        *("flask", "click", "jinja2", "networkx", "hypothesis"),
        *("attr", "attrs", "cffi", "boto3", "moto", "jedi", "parso"),
    }
)

# Names of folders that hold copies of other packages.
VENDORED = frozenset(
    {
        *("_vendor", "vendor", "_vendored", "vendored", "third_party", "extern", "_extern"),
        *("external", "_external", "externals", "subprojects", "site-packages", "node_modules"),
    }
)
_TESTS = ("test", "tests", "testing", "test-data", "conftest", "testdata", "_test*", "*_tests")
_TEST_FILES = ("test_*.py", "*_test.py", "conftest.py", "tests.py")

# A shorter document says little by itself. A longer one is seldom written by a person.
LEAST_CHARACTERS, MOST_CHARACTERS = 200, 200_000

# A generated file says so in its first lines, so that only these characters are searched.
_NOTICE_CHARACTERS = 1000
# A file with a longer line is data.
_LONGEST_LINE = 1000
# A file is a table where digits are more than this share of its characters without white space, or
# where more than this share of its lines begin with a literal.
_MOST_DIGITS = 0.15
_MOST_ENTRIES = 0.6
# A file is prose where at least this share of its characters is in sentences.
_LEAST_PROSE = 0.5

PROSE_SUFFIXES = (".rst", ".md", ".txt")
_GENERATED = re.compile(
    r"(auto-?generated|generated (by|from|automatically)|do not edit|automatically generated)", re.I
)
_LISTS = ("change*", "news*", "history*", "sources.txt", "requirements*", "authors*", "licen*")
_ENTRY_LINE = re.compile(r"""\s*[\[({-]*\s*("(?!"")|'(?!'')|\d)""")
_PROSE_LINE = re.compile(r"(?:\W*[A-Za-z][\w'’\-]*\W+){5}")
_MARKUP_LINE = re.compile(r"^(\.\. |\s*:[\w\- ]+:|[=\-~^\"'#*+`]{3,}$|\|.*\||[-=+ ]{5,}$|\.\. _)")


def own(path: str, skip: Iterable[str] = ()) -> bool:
    """Whether a path is a source's own text: not a vendored copy, a test or in a hidden folder.

    A path that matches a pattern of `skip`, as a whole or in one of its parts, is not either.
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
    """Whether a file is Python code that a person wrote, of a usual length, and not a table."""
    if not path.endswith(".py") or not LEAST_CHARACTERS <= len(text) <= MOST_CHARACTERS:
        return False
    if _GENERATED.search(text[:_NOTICE_CHARACTERS]):
        return False
    lines = text.split("\n")
    if max(map(len, lines)) > _LONGEST_LINE:
        return False
    written = sum(map(len, text.split()))
    digits = sum(map(text.count, "0123456789"))
    entries = sum(map(bool, map(_ENTRY_LINE.match, lines)))
    return digits <= _MOST_DIGITS * written and entries <= _MOST_ENTRIES * len(lines)


def is_prose(path: str, text: str) -> bool:
    """Whether a file is mostly sentences, and not a table, a list of an API or of changes."""
    name = PurePosixPath(path).name.lower()
    if not name.endswith(PROSE_SUFFIXES) or not LEAST_CHARACTERS <= len(text) <= MOST_CHARACTERS:
        return False
    if any(fnmatch(name, pattern) for pattern in _LISTS) or _GENERATED.search(
        text[:_NOTICE_CHARACTERS]
    ):
        return False
    return prose_share(text) >= _LEAST_PROSE


def prose_share(text: str) -> float:
    """The share of the characters that are in lines which read like a sentence."""
    lines = [line for line in text.split("\n") if line.strip()]
    total = sum(map(len, lines))
    sentences = sum(
        len(line)
        for line in lines
        if not _MARKUP_LINE.match(line) and _PROSE_LINE.match(line) and line.count("http") < 2
    )
    return sentences / total if total else 0.0

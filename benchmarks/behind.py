"""What the text behind the cursor is worth: the simulated typist fills gaps in texts.

    python -m benchmarks.behind CHECKPOINT TEXT… [--gaps N] [--characters N] [--json FILE]

A gap is a missing part of a line; all text before and after it is there. It is the line from its
indentation on, some words in its middle, or what stands in brackets, where an editor has put in the
closing one. The typist fills each gap three times: with suggestions that do not know what follows,
with suggestions that know it, and with the best fit of four alternatives. The typist accepts a
suggestion, or its first word, if the gap goes on exactly so, and otherwise types a character. The
table has the share of keys saved, of keys at which something is shown, and of shown suggestions
accepted.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from model.adaptation import Page
from model.checkpoint import load
from model.completing import decode, decoding_at
from model.decoding.options import Options
from model.served import Runtime
from model.typist import press

WORD = re.compile(r"\w+|[^\w\s]+")
# Brackets around a text that is neither too short nor too long for a gap.
BRACKETS = re.compile(r"\(([^()\n]{4,60})\)")
# For each way to fill a gap: whether suggestions know what follows, and how many candidates there
# are.
WAYS = {"nothing": (False, 1), "known": (True, 1), "best of 4": (True, 4)}
# Lines with fewer characters, without their indentation, have no gaps.
SHORTEST_LINE = 12


@dataclass(frozen=True)
class Gap:
    """A part of a text that the typist fills in."""

    kind: str
    begin: int
    end: int


@dataclass
class SuffixTally:
    """What the typist did in the gaps of one kind, filled in one way."""

    gaps: int = 0
    characters: int = 0
    keys: int = 0
    shown: int = 0
    accepted: int = 0

    def to_json(self) -> dict[str, float]:
        """The counts and the shares, from 0 to 1."""
        return asdict(self) | {
            "keystrokes_saved": 1 - self.keys / max(1, self.characters),
            "shown_share": self.shown / max(1, self.keys),
            "accepted_share": self.accepted / max(1, self.shown),
        }


def added_up(tallies: Iterable[SuffixTally]) -> SuffixTally:
    """The sum of some tallies."""
    return SuffixTally(*(sum(counts) for counts in zip(*map(astuple, tallies), strict=True)))


def gaps_of(text: str) -> Iterator[Gap]:
    """The gaps of a text in order, up to three kinds in each line."""
    begin = 0
    for line in text.splitlines(keepends=True):
        body = line.rstrip()
        indentation = len(body) - len(body.lstrip())
        words = list(WORD.finditer(body))
        if len(body) - indentation >= SHORTEST_LINE:
            yield Gap("line", begin + indentation, begin + len(body))
            first, last = len(words) // 3, 2 * len(words) // 3
            if first < last < len(words):
                yield Gap("middle", begin + words[first].start(), begin + words[last].end())
            if brackets := BRACKETS.search(body):
                yield Gap("brackets", begin + brackets.start(1), begin + brackets.end(1))
        begin += len(line)


class SuffixTypist:
    """Types gaps again, from the states that the network has after each beginning of a text."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pool = runtime.pool(1 + max(n for _, n in WAYS.values()))
        self._head = self._pool.acquire()
        self._page: Page | None = runtime.adaptation.page() if runtime.adaptation else None

    def states(self, text: str) -> list[bytes]:
        """The states of the network before the text and after each of its characters."""
        self._pool.start(self._head)
        states = [self._pool.read(self._head)]
        for character in text:
            spelt = np.array(self._runtime.vocabulary.spell(character), np.int32)
            self._pool.absorb([self._head], [spelt])
            states.append(self._pool.read(self._head))
        return states

    def fill(
        self,
        text: str,
        gap: Gap,
        states: Sequence[bytes],
        way: tuple[bool, int],
        tally: SuffixTally,
    ) -> None:
        """Types one gap, and adds to the tally."""
        knows, n = way
        options = Options(n=n, suffix=text[gap.end :] if knows else "")
        missing = text[gap.begin : gap.end]
        tally.gaps += 1
        tally.characters += len(missing)
        position = 0
        while position < len(missing):
            at = gap.begin + position
            suggestion = self._suggest(text[:at], states[at], options)
            key = press(suggestion, missing, position)
            tally.keys += 1
            tally.shown += bool(suggestion)
            tally.accepted += key.accepts != "nothing"
            position += key.characters

    def _suggest(self, before: str, state: bytes, options: Options) -> str:
        length = len(before)
        decoding = decoding_at(self._runtime, options, before, length, self._page, state, length)
        decode(self._pool, self._runtime.adaptation, decoding)
        return decoding.decoder.completion.text


def measure(
    runtime: Runtime, texts: Iterable[str], gaps: int
) -> dict[str, dict[str, dict[str, float]]]:
    """The figures by kind of gap and by way, over about `gaps` gaps of each text, evenly spread.

    The last kind is "all", with the sums over all kinds.
    """
    typist = SuffixTypist(runtime)
    tallies: dict[str, dict[str, SuffixTally]] = {}
    for text in texts:
        found = list(gaps_of(text))
        states = typist.states(text)
        for gap in islice(found, 0, None, max(1, len(found) // gaps)):
            kinds = tallies.setdefault(gap.kind, {name: SuffixTally() for name in WAYS})
            for name, way in WAYS.items():
                typist.fill(text, gap, states, way, kinds[name])
    tallies["all"] = {name: added_up(ways[name] for ways in tallies.values()) for name in WAYS}
    return {
        kind: {name: tally.to_json() for name, tally in ways.items()}
        for kind, ways in tallies.items()
    }


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("texts", type=Path, nargs="+", help="files, or folders that hold them")
    parser.add_argument("--gaps", type=int, default=24, help="gaps of each text")
    parser.add_argument("--characters", type=int, default=4000, help="of each text")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    files = [
        file
        for path in arguments.texts
        for file in ([path] if path.is_file() else sorted(path.rglob("*.*")))
        if file.is_file()
    ]
    texts = [file.read_text("utf-8")[: arguments.characters] for file in files]
    figures = measure(Runtime(load(arguments.checkpoint)), texts, arguments.gaps)
    for kind, ways in figures.items():
        for name, row in ways.items():
            print(
                f"{kind:10} {name:10} {row['gaps']:5} gaps  saved {row['keystrokes_saved']:6.1%}"
                f"  shown {row['shown_share']:6.1%}  accepted {row['accepted_share']:6.1%}"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

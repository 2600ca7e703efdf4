"""The five shapes of sequence learning, computed by the functions that the service uses.

Vinyals and Karpathy sort them by input and output: one or many, and all inputs first or in step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

from model.completing import complete
from model.decoding.options import Completion, Options
from model.decoding.sampling import Sampling
from model.generating import generate
from model.served import Runtime
from training.evaluation.scoring import Score, read
from training.lecture.graph import Graph, GraphStep

# Characters that may come next, the most probable first, with their probabilities.
Following = tuple[tuple[str, float], ...]

# A graph has at most this many steps. It shows the last ones of a longer text.
COLUMNS = 9


@dataclass(frozen=True)
class OneToOne:
    """One character is read; the answer is the distribution of the next one."""

    read: str
    next: Following

    def graph(self) -> Graph:
        """The unrolled graph."""
        return Graph((GraphStep(self.read, *self.next[0]),))


@dataclass(frozen=True)
class OneToMany:
    """One character is read, and a text is written: each character drawn is fed back."""

    read: str
    temperature: float
    seed: int
    generated: str

    def graph(self) -> Graph:
        """The unrolled graph."""
        return _fed_back(self.read, self.generated)


@dataclass(frozen=True)
class ManyToOne:
    """A text is read; the answer is what comes next, or the score of the text."""

    read: str
    next: Following
    score: Score

    def graph(self) -> Graph:
        """The unrolled graph."""
        drawn = self.read[-COLUMNS:]
        steps = (*(GraphStep(c) for c in drawn[:-1]), GraphStep(drawn[-1], *self.next[0]))
        return Graph(steps, len(self.read) - len(drawn))


@dataclass(frozen=True)
class ReadThenWrite:
    """A prefix is read, and then a completion is written."""

    read: str
    completion: Completion

    def graph(self) -> Graph:
        """The unrolled graph."""
        return _fed_back(self.read, self.completion.text)


@dataclass(frozen=True)
class InStep:
    """An answer at every character: its surprise, and the likeliest character after it.

    `bits` has an entry for each character, `expected` only for the last ones, at most `COLUMNS`.
    """

    read: str
    bits: tuple[float, ...]
    expected: Following

    def graph(self) -> Graph:
        """The unrolled graph."""
        drawn = self.read[-len(self.expected) :]
        steps = (GraphStep(c, *said) for c, said in zip(drawn, self.expected, strict=True))
        return Graph(tuple(steps), len(self.read) - len(drawn))


def one_to_one(runtime: Runtime, text: str, top: int = 5) -> OneToOne:
    """The distribution after the text's first character."""
    return OneToOne(text[0], complete(runtime, text[0], top=top).next)


def one_to_many(
    runtime: Runtime, text: str, length: int = 200, temperature: float = 0.7, seed: int = 1
) -> OneToMany:
    """A text from the first character alone, or from nothing where there is none."""
    drawn = generate(runtime, text[:1], Sampling(temperature), seed)
    return OneToMany(text[:1], temperature, seed, "".join(islice(drawn, length)))


def many_to_one(runtime: Runtime, text: str, top: int = 5) -> ManyToOne:
    """The distribution after the whole text, and the text's score."""
    following = complete(runtime, text, top=top).next
    return ManyToOne(text, following, read(runtime, [text])[0].score())


def read_then_write(runtime: Runtime, text: str) -> ReadThenWrite:
    """The completion of the text, shown whatever its confidence."""
    return ReadThenWrite(text, complete(runtime, text, Options(min_confidence=0)).completion)


def in_step(runtime: Runtime, text: str) -> InStep:
    """Every character's surprise, and the likeliest character after each of the last ones."""
    ends = range(max(1, len(text) - COLUMNS + 1), len(text) + 1)
    expected = tuple(complete(runtime, text[:end], top=1).next[0] for end in ends)
    return InStep(text, tuple(read(runtime, [text])[0].bits.tolist()), expected)


def _fed_back(text: str, written: str) -> Graph:
    """The graph of a text that is read, and of a text that is then written and fed back.

    Each written character is the next step's input, apart from the last one that is drawn. At most
    COLUMNS // 2 + 1 written characters are drawn, to leave steps for the text that is read.
    """
    written = written[: COLUMNS // 2 + 1]
    read = [*text] or ["start"]
    drawn = read[max(0, len(read) + max(0, len(written) - 1) - COLUMNS) :]
    inputs = [*(GraphStep(c) for c in drawn), *(GraphStep(c, fed_back=True) for c in written[:-1])]
    first = len(inputs) - len(written)
    for number, character in enumerate(written, start=first):
        inputs[number] = replace(inputs[number], predicted=character)
    return Graph(tuple(inputs), len(read) - len(drawn))

"""Texts are edited at random, and a drive completes all of them at once.

As a program it tests the library that is named, which may be one built with sanitizers:
`python -m tests.model.driving.fuzzing LIBRARY SEED…`.
"""

import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from model.adaptation import page_text, window_start
from model.checkpoint import load
from model.completing import decode, decoding_at
from model.decoding.options import CHARACTERS_BEFORE, Completion, Options
from model.driving import library
from model.driving.drive import Drive
from model.driving.driven import DrivenDecoding
from model.driving.job import NOTHING_KEPT
from model.served import Runtime
from tests.tiny import CHARACTERS, save_primed_checkpoint, save_tiny_checkpoint

PIECES = ("def f(", "abc", "):\n", "    x = [", "é", "😀", "\n\n", ")", " names.items()", "\r")


def random_options(drawn: Random) -> Options:
    """Options of a single suggestion, of every kind that ends one."""
    return Options(
        max_chars=drawn.choice([0, 1, 5, 24, 90]),
        min_confidence=drawn.choice([0.0, 0.0, 0.05, 0.3]),
        stop=drawn.choice([(), (), ("a",), ("xy", "\n\n")]),
        suffix=drawn.choice(["", "", ")", ") + b\nabc\n    return x\n"]),
        max_lines=drawn.choice([1, 1, 4]),
        indent=drawn.choice([None, 0]),
        by_value=drawn.random() < 0.5,
    )


def reference(runtime: Runtime, text: str, options: Options) -> Completion:
    """The suggestion by the step-by-step path in Python, from the text's start."""
    page = runtime.adaptation.page() if runtime.adaptation else None
    decoding = decoding_at(runtime, options, text, len(text), page)
    decode(runtime.pool(decoding.width), runtime.adaptation, decoding)
    return decoding.decoder.completion


class EditedText:
    """A text that is edited, and what its session keeps: states, its page and the last steps."""

    def __init__(self, runtime: Runtime, drawn: Random) -> None:
        self.runtime = runtime
        self._drawn = drawn
        self.text = ""
        self._suggested = ""
        self._states: dict[int, bytes] = {}
        self._page = runtime.adaptation.page() if runtime.adaptation else None
        self._kept, self._kept_at = NOTHING_KEPT, -1
        self.reused = 0

    def edit(self) -> None:
        """Types what was suggested, or something else, or goes back."""
        drawn = self._drawn
        kind = drawn.randrange(6)
        keep = len(self.text) if kind else drawn.randrange(len(self.text) + 1)
        if kind > 2 and self._suggested:
            more = self._suggested[: drawn.randint(1, 3)]
        else:
            more = drawn.choice((*PIECES, drawn.choice(CHARACTERS), ""))
        self.text = self.text[:keep] + more
        self._states = {at: state for at, state in self._states.items() if at <= keep}
        if self._kept_at > keep:
            self._kept, self._kept_at = NOTHING_KEPT, -1

    def ask(self, drive: Drive) -> DrivenDecoding:
        """Submits the text as it is now."""
        self.options = random_options(self._drawn)
        length = len(self.text)
        begin = max((at for at in self._states if at <= length), default=0)
        ends = {self._drawn.randint(begin, length), length}
        self._ends = sorted(end for end in ends if end > begin)
        decoding = DrivenDecoding(
            drive.lanes[self.runtime],
            self.options,
            [self.text[a:b] for a, b in zip([begin, *self._ends], self._ends, strict=False)],
            start=self._states.get(begin),
            before=self.text[-CHARACTERS_BEFORE:],
            page=self._page,
            page_text=page_text(self.text[window_start(length) :], length, self.options.suffix),
            replay=self._kept if self._kept_at == begin else NOTHING_KEPT,
            kept_steps=self._drawn.choice([0, 3, 16]),
        )
        assert decoding.job is not None
        drive.submit(decoding.job)
        return decoding

    def check(self, decoding: DrivenDecoding) -> None:
        """Compares the suggestion with that of a computation from the text's start."""
        expected = reference(self.runtime, self.text, self.options)
        assert decoding.candidate.completion() == expected, (self.text, self.options)
        assert decoding.page_read == (self._page is not None)
        self._states |= dict(zip(self._ends, decoding.states, strict=True))
        self._kept, self._kept_at = decoding.kept, len(self.text)
        self._suggested = decoding.candidate.text
        self.reused += decoding.steps_reused


def finish(drive: Drive, decodings: list[DrivenDecoding]) -> None:
    """Computes until each decoding has ended, by as many jobs as it takes."""
    going = {decoding.job: decoding for decoding in decodings}
    while going:
        drive.finish()
        for job in drive.collect():
            decoding = going.pop(job)
            decoding.take()
            if decoding.job is not None:
                going[decoding.job] = decoding
                drive.submit(decoding.job)


def run(runtimes: list[Runtime], seed: int, rounds: int = 25) -> int:
    """Some texts, several edits each; returns how many steps replays have spared."""
    drawn = Random(seed)
    drive = Drive(runtimes, capacity=3)
    texts = [EditedText(runtime, drawn) for runtime in runtimes for _ in range(3)]
    for _ in range(rounds):
        asking = drawn.sample(texts, drawn.randint(1, len(texts)))
        for text in asking:
            text.edit()
        decodings = [text.ask(drive) for text in asking]
        finish(drive, decodings)
        for text, decoding in zip(asking, decodings, strict=True):
            text.check(decoding)
    drive.close()
    return sum(text.reused for text in texts)


def random_runtimes(folder: Path) -> list[Runtime]:
    """A network that adapts and one that does not, in C."""
    saved = save_primed_checkpoint(folder / "primed"), save_tiny_checkpoint(folder / "plain")
    return [Runtime(load(checkpoint)) for checkpoint in saved]


if __name__ == "__main__":
    library.LIBRARY = Path(sys.argv[1])
    with TemporaryDirectory() as folder:
        for argument in sys.argv[2:]:
            run(random_runtimes(Path(folder)), int(argument), rounds=8)

"""What adaptation costs: reading a key, a step of decoding with and without it, a window, memory.

`python -m benchmarks.adaptation CHECKPOINT TEXT… --json F` measures one thread of one core. A step
moves each session of a batch on by its predicted id and finds the most probable next one. Each
session has its own text and page. Without adaptation a step is `Pool.follow`. Both ways take turns,
so that a change of the machine's speed does not change their ratio.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import processor
from benchmarks.timing import best_seconds
from model.adaptation import Adaptation, Page, window_start
from model.adaptation.index import LIMIT
from model.checkpoint import load
from model.served import Runtime

# The length of the text of each session that decodes.
SESSION_CHARACTERS = 6000
# How many keys are typed to measure one of them.
KEYS = 200
# How many steps of each session are timed together.
DECODED_STEPS = 24


@dataclass(frozen=True)
class AdaptationStep:
    """One decoded step of each session of a batch, in microseconds a session."""

    batch: int
    network: float
    adapted: float

    @property
    def ratio(self) -> float:
        return self.adapted / self.network


@dataclass(frozen=True)
class AdaptationFigures:
    """All that is measured, in the units that the names say."""

    backend: str
    microseconds_a_key: float
    microseconds_a_key_taken_back: float
    milliseconds_a_full_window: float
    bytes_a_session: dict[int, int]
    steps: tuple[AdaptationStep, ...]

    def to_json(self) -> dict[str, object]:
        """One object, the ratios included."""
        rows = [asdict(step) | {"ratio": step.ratio} for step in self.steps]
        return {"processor": processor(), **asdict(self), "steps": rows}


def measure(
    runtime: Runtime, texts: Sequence[str], batches: Sequence[int], rounds: int
) -> AdaptationFigures:
    """Measures on texts that together have more than a window.

    Raises ValueError for less text, and where the runtime does not adapt.
    """
    adaptation = runtime.adaptation
    if adaptation is None:
        raise ValueError("the checkpoint is not primed for adaptation")
    whole = "\n".join(texts)
    if len(whole) < 2 * LIMIT:
        raise ValueError(f"text: {len(whole)} characters; at least {2 * LIMIT} are needed")
    full = whole[: LIMIT - 1]
    page = adaptation.page()
    text = whole[: LIMIT - 1 - KEYS]
    seconds = best_seconds(
        {
            "keys": typing(page, full, len(text)),
            "back": taking_back(page, full, len(text)),
            "window": lambda: adaptation.page().follow(full),
        },
        rounds,
    )
    return AdaptationFigures(
        backend=runtime.backend,
        microseconds_a_key=seconds["keys"] / KEYS * 1e6,
        microseconds_a_key_taken_back=(seconds["back"] - seconds["keys"]) / KEYS * 1e6,
        milliseconds_a_full_window=seconds["window"] * 1e3,
        bytes_a_session={
            length: memory(adaptation, whole[:length])
            for length in (0, 1000, 3000, 8000, LIMIT - 1)
        },
        steps=tuple(measure_step(runtime, adaptation, whole, batch, rounds) for batch in batches),
    )


def typing(page: Page, text: str, start: int) -> Callable[[], object]:
    """Brings the page back to the text before `start`, then types KEYS characters one by one."""

    def run() -> None:
        page.follow(text[:start])
        for length in range(start + 1, start + KEYS + 1):
            page.follow(text[:length])

    return run


def taking_back(page: Page, text: str, start: int) -> Callable[[], object]:
    """Does the same as `typing`, then takes the characters back one by one."""
    type_all = typing(page, text, start)

    def run() -> None:
        type_all()
        for length in range(start + KEYS - 1, start - 1, -1):
            page.follow(text[:length])

    return run


def memory(adaptation: Adaptation, text: str) -> int:
    """The bytes of a page whose text grew little by little, as by typing."""
    page = adaptation.page()
    for length in range(0, len(text), 997):
        page.follow(text[window_start(length) : length])
    page.follow(text)
    return page.nbytes


def measure_step(
    runtime: Runtime, adaptation: Adaptation, text: str, batch: int, rounds: int
) -> AdaptationStep:
    """Times DECODED_STEPS steps of each session, each after a text of its own."""
    pool = runtime.pool(batch)
    slots = [pool.acquire() for _ in range(batch)]
    pages: list[Page] = []
    for number, slot in enumerate(slots):
        begin = number * (len(text) - SESSION_CHARACTERS) // batch
        page = adaptation.page()
        page.follow(text[begin : begin + SESSION_CHARACTERS])
        pool.start(slot)
        pages.append(page)
    pool.absorb(slots, [runtime.vocabulary.encode(page.text) for page in pages])
    states = [pool.read(slot) for slot in slots]

    def begin_again() -> None:
        for slot, state in zip(slots, states, strict=True):
            pool.write(slot, state)

    def network() -> None:
        begin_again()
        ids, _ = pool.best(slots)
        for _ in range(DECODED_STEPS):
            ids, _ = pool.follow(slots, ids)

    def adapted() -> None:
        begin_again()
        cursors = [page.cursor() for page in pages]
        ids, _ = adaptation.best(cursors, pool.network_output(slots))
        for _ in range(DECODED_STEPS):
            pool.step(slots, ids)
            for cursor, number in zip(cursors, ids, strict=True):
                cursor.push(int(number))
            ids, _ = adaptation.best(cursors, pool.network_output(slots))

    seconds = best_seconds({"network": network, "adapted": adapted}, rounds)
    each = {name: s / (DECODED_STEPS * batch) * 1e6 for name, s in seconds.items()}
    return AdaptationStep(batch, each["network"], each["adapted"])


def main() -> int:
    """Measures and prints the figures; --json writes them too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptation", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("text", type=Path, nargs="+")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16, 64])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", metavar="FILE", help="write the figures; - is standard output")
    arguments = parser.parse_args()
    texts = [file.read_text("utf-8") for file in arguments.text]
    runtime = Runtime(load(arguments.checkpoint))
    try:
        figures = measure(runtime, texts, arguments.batches, arguments.rounds)
    except ValueError as error:
        print(f"benchmarks.adaptation: {error}", file=sys.stderr)
        return 2
    print(
        f"a key: {figures.microseconds_a_key:.1f} µs; taken back: "
        f"{figures.microseconds_a_key_taken_back:.1f} µs"
    )
    print(f"a window of {LIMIT - 1} characters: {figures.milliseconds_a_full_window:.1f} ms")
    for length, size in figures.bytes_a_session.items():
        print(f"a page of {length} characters: {size / 1024:.0f} KB")
    for step in figures.steps:
        print(
            f"a step, batch {step.batch}: {step.network:.1f} µs, adapted {step.adapted:.1f} µs, "
            f"{step.ratio:.2f} times"
        )
    if arguments.json:
        text = json.dumps(figures.to_json(), indent=1) + "\n"
        if arguments.json == "-":
            sys.stdout.write(text)
        else:
            Path(arguments.json).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

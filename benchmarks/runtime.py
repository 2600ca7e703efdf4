"""How fast sessions step: every backend here, other libraries, and the limits of the core.

`python -m benchmarks.runtime --json F` measures one thread of one core, all in one run. A step
absorbs an id for each session of a batch and finds the most probable next one; it is called from
Python. Networks are measured without contexts, then with nine, whose table of 25 MiB is mapped from
a file as in the service.
"""

import argparse
import itertools
import json
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks import limits, peers
from benchmarks.machine import processor
from benchmarks.timing import best_seconds
from model.checkpoint import Checkpoint, expected_shapes, load, save
from model.network.config import NetworkConfig, Weights
from model.network.contexts import pack_bits
from model.runtime import Pool, backends
from model.served import Runtime

GREEDY_STEPS = 24
# With the bytes, the vocabulary has 256 ids.
CHARACTERS = "".join(chr(0x400 + i) for i in range(13))
CONTEXTS = ("2", "3", "4", "5", "6", "8", "12", "word", "words")
CONTEXT_WIDTH, CONTEXT_BITS, KEPT_ROWS = 32, 22, 50 << 15
# Rows that were read shortly before are still in a near cache, so this many steps read other ids.
DISTINCT_STEPS = 4096


@dataclass(frozen=True)
class RuntimeRow:
    """One implementation on one network and batch.

    `share_of_peak` compares its multiply-adds a second with the most that the core can do, and
    `share_of_l3` the bytes of int8 weights that it reads a second with the most from the L3 cache.
    """

    backend: str
    cell: str
    layers: int
    hidden: int
    contexts: int
    batch: int
    microseconds_per_session_step: float
    share_of_peak: float | None
    share_of_l3: float | None


@dataclass(frozen=True)
class Greedy:
    """GREEDY_STEPS greedy steps of one session, called from Python one by one."""

    backend: str
    cell: str
    hidden: int
    contexts: int
    microseconds: float


@dataclass(frozen=True)
class Threads:
    """Two threads, each with its own pool: their steps a second divided by those of one thread."""

    backend: str
    cell: str
    hidden: int
    batch: int
    throughput_of_two: float


def main() -> None:
    """Measures and prints the figures; --json writes them too."""
    arguments = _arguments()
    measured = _limits(arguments.rounds)
    rows: list[RuntimeRow] = []
    greedy: list[Greedy] = []
    threads: list[Threads] = []
    for cell in arguments.cells:
        for hidden in arguments.hidden:
            for contexts in ((), CONTEXTS) if arguments.contexts else ((),):
                for layers in arguments.layers:
                    checkpoint = random_checkpoint(cell, layers, hidden, contexts)
                    for batch in arguments.batches:
                        found = measure(checkpoint, batch, measured, arguments.rounds)
                        _print_rows(found)
                        rows += found
                single = random_checkpoint(cell, 1, hidden, contexts)
                greedy += measure_greedy(single, arguments.rounds)
            if arguments.threads:
                single = random_checkpoint(cell, 1, hidden)
                threads.append(measure_threads(single, max(arguments.batches)))
    for line in greedy:
        print(
            f"{GREEDY_STEPS} greedy steps, {line.cell} {line.hidden}, {line.contexts} contexts, "
            f"{line.backend}: {line.microseconds:.0f} µs"
        )
    for pair in threads:
        print(
            f"two threads, {pair.cell} {pair.hidden}, batch {pair.batch}: "
            f"{pair.throughput_of_two:.2f} times one"
        )
    if arguments.json:
        figures = {
            "processor": processor(),
            "limits": asdict(measured) if measured else None,
            "rows": [asdict(row) for row in rows],
            "greedy": [asdict(line) for line in greedy],
            "threads": [asdict(pair) for pair in threads],
        }
        text = json.dumps(figures, indent=1) + "\n"
        if arguments.json == "-":
            sys.stdout.write(text)
        else:
            Path(arguments.json).write_text(text, "utf-8")


def random_checkpoint(
    cell: str, layers: int, hidden: int, contexts: tuple[str, ...] = ()
) -> Checkpoint:
    """A network with random weights and 256 ids. Its shape, not its weights, decides its speed."""
    table = (contexts, CONTEXT_WIDTH, CONTEXT_BITS) if contexts else ()
    config = NetworkConfig(cell, layers, hidden, CHARACTERS, True, *table)
    random = np.random.default_rng(0)
    weights: Weights = {
        name: random.normal(0, hidden**-0.5, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    if not contexts:
        return Checkpoint("random", config, weights, {}, "0" * 32)
    kept = random.permutation(1 << CONTEXT_BITS)[:KEPT_ROWS]
    weights["contexts.kept"] = pack_bits(kept, CONTEXT_BITS)
    weights["contexts.rows"] = random.integers(0, 256, (KEPT_ROWS, CONTEXT_WIDTH // 2), np.uint8)
    weights["contexts.levels"] = np.arange(-120, 120, 15).astype(np.int8)
    # A mapped table stays readable as long as it is used, even after its file is deleted.
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), config, weights, {})
        return load(folder)


def measure(
    checkpoint: Checkpoint, batch: int, measured: limits.Limits | None, rounds: int
) -> list[RuntimeRow]:
    """A row for every backend and, for one layer, every peer."""
    config = checkpoint.config
    ids = np.random.default_rng(1).integers(0, 256, (DISTINCT_STEPS, batch))
    calls: dict[str, Callable[[], object]] = {}
    for name in backends.available():
        calls[name] = _step(Runtime(checkpoint, name).pool(batch), ids)
    if config.layers == 1 and not config.contexts:
        for name in peers.available():
            calls[name] = peers.step(name, checkpoint, ids[0])
    products = multiply_adds(checkpoint)
    rows = []
    for name, seconds in best_seconds(calls, rounds).items():
        peak = l3 = None
        if measured:
            peak = batch * products / seconds / measured.int8_multiply_adds_per_second
            if name in backends.NAMES:
                l3 = products / seconds / measured.l3_read_bytes_per_second
        each = seconds / batch * 1e6
        shape = (config.cell, config.layers, config.hidden, len(config.contexts), batch)
        rows.append(RuntimeRow(name, *shape, each, peak, l3))
    return rows


def multiply_adds(checkpoint: Checkpoint) -> int:
    """The multiply-adds of one session's step, which is also the bytes of its int8 weights.

    The first layer's input and the contexts are rows of tables, which are not multiplied.
    """
    matrices = (w.size for w in checkpoint.weights.values() if w.ndim == 2 and w.dtype.kind == "f")
    return sum(matrices) - checkpoint.weights["cells.0.U"].size


def measure_greedy(checkpoint: Checkpoint, rounds: int) -> list[Greedy]:
    """GREEDY_STEPS greedy steps on every backend."""
    calls: dict[str, Callable[[], object]] = {}
    for name in backends.available():
        calls[name] = _decode(Runtime(checkpoint, name).pool(1))
    config = checkpoint.config
    return [
        Greedy(name, config.cell, config.hidden, len(config.contexts), seconds * 1e6)
        for name, seconds in best_seconds(calls, rounds).items()
    ]


def measure_threads(checkpoint: Checkpoint, batch: int) -> Threads:
    """Times one thread, then two at once, on the fastest backend."""
    runtime = Runtime(checkpoint)
    ids = np.random.default_rng(1).integers(0, 256, (DISTINCT_STEPS, batch))
    steps = [_step(runtime.pool(batch), ids) for _ in range(2)]
    repeats = 1 + int(0.3 / best_seconds({0: steps[0]}, 1)[0])

    def seconds(count: int) -> float:
        def work(step: Callable[[], object]) -> None:
            for _ in range(repeats):
                step()

        workers = [threading.Thread(target=work, args=(step,)) for step in steps[:count]]
        begun = perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return perf_counter() - begun

    alone, together = (min(seconds(count) for _ in range(5)) for count in (1, 2))
    config = checkpoint.config
    return Threads(runtime.backend, config.cell, config.hidden, batch, 2 * alone / together)


def _step(pool: Pool, ids: NDArray[np.int64]) -> Callable[[], object]:
    slots = np.arange(pool.capacity)
    for slot in slots.tolist():
        pool.start(slot)
    each = itertools.cycle(ids)
    return lambda: pool.follow(slots, next(each))


def _decode(pool: Pool) -> Callable[[], object]:
    slots = [pool.acquire()]
    pool.start(slots[0])

    def decode() -> None:
        ids, _ = pool.best(slots)
        for _ in range(GREEDY_STEPS):
            ids, _ = pool.follow(slots, ids)

    return decode


def _limits(rounds: int) -> limits.Limits | None:
    try:
        measured = limits.measure(rounds)
    except limits.LimitsError as error:
        print(f"benchmarks.runtime: {error}", file=sys.stderr)
        return None
    print(
        f"one core: {measured.int8_multiply_adds_per_second / 1e9:.0f} G int8 multiply-adds a "
        f"second, {measured.l3_read_bytes_per_second / 1e9:.1f} GB a second from L3"
    )
    return measured


def _print_rows(rows: list[RuntimeRow]) -> None:
    first = rows[0]
    print(
        f"{first.cell}, {first.layers} × {first.hidden}, {first.contexts} contexts, "
        f"batch {first.batch}"
    )
    for row in rows:
        shares = "" if row.share_of_peak is None else f"{row.share_of_peak:7.0%} of peak"
        if row.share_of_l3 is not None and row.batch == 1:
            shares += f"{row.share_of_l3:7.0%} of L3"
        print(f"  {row.backend:18}{row.microseconds_per_session_step:9.2f} µs{shares}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runtime", description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures; - is standard output")
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru", "elman"])
    parser.add_argument("--hidden", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--layers", nargs="+", type=int, default=[1])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 16, 64, 128])
    parser.add_argument("--contexts", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()

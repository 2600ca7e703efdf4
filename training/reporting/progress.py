"""What the user sees during a training: a live line, and a report at each measurement."""

from __future__ import annotations

import math
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from model.errors import readable
from model.network.config import NetworkConfig
from training.corpus import Corpus
from training.finishing.quantization import QuantizationCost
from training.loop.history import History
from training.loop.schedule import Budget

# The live line shows an exponential mean of the loss. A step has this weight in it, so that the
# mean follows about the last twenty steps.
MEAN_WEIGHT = 0.05
# The remaining time is shown once this share of the budget is spent. Before that it would be a
# guess.
LEAST_SPENT = 0.005
# At most this many of the files that were passed over are named.
MOST_NAMED_FILES = 10


class Progress:
    """A progress bar with loss, gradient norm, speed and time left, and reports with a sample.

    Where standard error is not a terminal, only the reports are printed.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._bar = Bar(
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1.0)
        self._bits = math.nan

    def begin(
        self, corpus: Corpus, config: NetworkConfig, parameters: int, budget: Budget, out: Path
    ) -> None:
        """Prints which files were passed over, the network, the corpus and the budget."""
        for line in corpus.passed_over[:MOST_NAMED_FILES]:
            self.console.print(f"passed over {escape(line)}", highlight=False)
        unnamed = len(corpus.passed_over) - MOST_NAMED_FILES
        if unnamed > 0:
            self.console.print(f"… and {unnamed} more files passed over")
        limits = [f"{budget.minutes:g} minutes"] if budget.minutes else []
        limits += [f"{budget.steps:,} steps"] if budget.steps else []
        limits += [f"{budget.epochs:,} epochs"] if budget.epochs else []
        self.console.print(
            f"{config.cell} of {config.layers} × {config.hidden} units, {parameters:,} parameters; "
            f"{corpus.characters:,} characters in {len(corpus.train):,} documents, "
            f"{len(corpus.validation):,} held out; {' or '.join(limits)}; "
            f"into {escape(readable(out))}",
            highlight=False,
        )
        self._bar.start()

    def step(
        self, step: int, characters: int, bits: float, norm: float, spent: float, seconds: float
    ) -> None:
        """Shows a step: its loss in bits, its gradient norm, and the spent share of the budget."""
        if math.isnan(self._bits):
            self._bits = bits
        self._bits += MEAN_WEIGHT * (bits - self._bits)
        eta = "…"
        if spent > LEAST_SPENT:
            eta = f"{(seconds / spent - seconds) / 60:.0f} min left"
        self._bar.update(
            self._task,
            completed=spent,
            description=f"{self._bits:.3f} bits a character · gradient {norm:.2f} · "
            f"{characters / max(seconds, 1e-9) / 1000:.1f} k characters/s · {eta}",
        )

    def measured(self, history: History, sample: str) -> None:
        """Reports the last measurement, and a sample of what the network writes."""
        m = history.measurements[-1]
        mark = (
            " (best so far)" if history.improved else f" (best {history.best.validation_bits:.3f})"
        )
        self.console.print(
            f"{m.seconds / 60:6.1f} min · step {m.step:,} · {m.characters / 1e6:.1f} M characters "
            f"({m.characters / m.seconds / 1000:.1f} k/s) · training {m.train_bits:.3f} · "
            f"validation {m.validation_bits:.3f}{mark} · gradient {m.gradient_norm:.2f}",
            highlight=False,
        )
        self.console.print(escape(sample), style="dim", highlight=False)

    def finishing(self) -> None:
        """Says that the rest takes a minute or two, so that it does not look like a hang."""
        self._bar.stop()
        self.console.print(
            "making it fit to be served, and priming adaptation: a minute or two more",
            highlight=False,
        )

    def end(self, history: History, cost: QuantizationCost, out: Path) -> None:
        """Says why the run ended, and gives its best figures."""
        why = "interrupted" if history.interrupted else "done"
        if history.stopped_early:
            why = "stopped early, since the held-out text got no better"
        best = history.best
        self.console.print(
            f"{why}: {best.validation_bits:.3f} bits a character on held-out text after "
            f"{best.seconds / 60:.1f} minutes, {cost.bits:+.4f} when served in integers; "
            f"the checkpoint is in {escape(readable(out))}",
            highlight=False,
        )

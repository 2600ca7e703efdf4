"""What a person sees while a network is trained: a live line, and a report now and then."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from model.network.config import NetworkConfig
from training.corpus import Corpus
from training.finishing.quantization import Cost
from training.loop.history import History
from training.loop.schedule import Budget


class Progress:
    """A progress bar with rate, time left, loss and gradient norm; reports with a sample of text.

    Where standard error is no terminal, the reports alone are printed, a line or two each.
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
        self._bits = float("nan")

    def begin(
        self, corpus: Corpus, config: NetworkConfig, parameters: int, budget: Budget, out: Path
    ) -> None:
        for line in corpus.passed_over[:10]:
            self.console.print(f"passed over {escape(line)}", highlight=False)
        if len(corpus.passed_over) > 10:
            self.console.print(f"… and {len(corpus.passed_over) - 10} more files passed over")
        limits = [f"{budget.minutes:g} minutes"] if budget.minutes else []
        limits += [f"{budget.steps:,} steps"] if budget.steps else []
        limits += [f"{budget.epochs:,} epochs"] if budget.epochs else []
        self.console.print(
            f"{config.cell} of {config.layers} × {config.hidden} units, {parameters:,} parameters; "
            f"{corpus.characters:,} characters in {len(corpus.train):,} documents, "
            f"{len(corpus.validation):,} held out; {' or '.join(limits)}; into {escape(str(out))}",
            highlight=False,
        )
        self._bar.start()

    def step(
        self, step: int, characters: int, bits: float, norm: float, spent: float, seconds: float
    ) -> None:
        self._bits = bits if self._bits != self._bits else 0.95 * self._bits + 0.05 * bits
        left = seconds / spent - seconds if spent > 0.005 else float("nan")
        eta = f"{left / 60:.0f} min left" if left == left else "…"
        self._bar.update(
            self._task,
            completed=spent,
            description=f"{self._bits:.3f} bits a character · gradient {norm:.2f} · "
            f"{characters / max(seconds, 1e-9) / 1000:.1f} k characters/s · {eta}",
        )

    def measured(self, history: History, sample: str) -> None:
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
        """The budget is spent; what follows takes minutes, too, and must not look like a hang."""
        self._bar.stop()
        self.console.print(
            "making it fit to be served, and priming adaptation: a minute or two more",
            highlight=False,
        )

    def end(self, history: History, cost: Cost, out: Path) -> None:
        why = "interrupted" if history.interrupted else "done"
        if history.stopped_early:
            why = "stopped early, since the held-out text got no better"
        best = history.best
        self.console.print(
            f"{why}: {best.validation_bits:.3f} bits a character on held-out text after "
            f"{best.seconds / 60:.1f} minutes, {cost.bits:+.4f} when served in integers; "
            f"the checkpoint is in {escape(str(out))}",
            highlight=False,
        )

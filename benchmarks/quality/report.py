"""The figures as tables on the terminal, and as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from benchmarks.quality.rows import Row, lead
from training.reporting.plots import save_png

TITLES = ("bits", "saved", "shown", "accepted", "ms", "read", "step", "state")


def show(console: Console, text_set: str, rows: Sequence[Row]) -> None:
    """Prints one set's table, and for each system its gate and how far it is behind the best."""
    table = Table(
        Column("system", overflow="fold"),
        *(Column(title, justify="right", no_wrap=True) for title in TITLES),
        title=text_set,
        caption="bits a character; keystrokes saved, keys at which something is shown, and what "
        "of it is accepted, in %; ms a suggestion (median); µs a character read; µs a step, which "
        "is a character, of a transformer a token; a session's state",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    best = max((row for row in rows if row.shown), key=_saved, default=None)
    for row in rows:
        if row.shown is None or best is None or best.shown is None:
            continue
        line = f"{row.system}, {row.shown.gate}"
        if row is not best:
            more, error = lead(best.shown.saved, row.shown.saved)
            line += f": {100 * more:.1f} ± {100 * error:.1f} points below {best.system}"
        console.print(line, highlight=False, markup=False)


def picture(rows: Sequence[Row], file: Path) -> None:
    """Keystrokes saved against the time of a suggestion, a panel for each set, as PNG."""
    sets = list(dict.fromkeys(row.text_set for row in rows))
    figure = Figure(figsize=(5 * len(sets), 4.5), layout="constrained")
    panels = figure.subplots(1, len(sets), squeeze=False, sharey=True)[0]
    systems = list(dict.fromkeys(row.system for row in rows if row.shown))
    for panel, name in zip(panels, sets, strict=True):
        for row in rows:
            if row.text_set != name or row.shown is None:
                continue
            place = (
                row.shown.milliseconds_per_suggestion.median,
                100 * row.shown.typist.keystrokes_saved,
            )
            panel.plot(*place, "o", color=f"C{systems.index(row.system)}")
            panel.annotate(
                row.system, place, xytext=(0, 7), textcoords="offset points", ha="center", size=8
            )
        panel.set_xscale("log")
        panel.margins(x=0.25, y=0.15)
        panel.set_title(name)
        panel.set_xlabel("milliseconds a suggestion, median")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("keystrokes saved, %")
    save_png(figure, file)


def _saved(row: Row) -> float:
    return row.shown.typist.keystrokes_saved if row.shown else 0.0


def _cells(row: Row) -> list[str]:
    typist = row.shown.typist if row.shown else None
    shares = (typist.keystrokes_saved, typist.shown, typist.accepted) if typist else (None,) * 3
    return [
        row.system,
        _number(row.bits_per_character, ".3f"),
        *(_number(share and 100 * share, ".1f") for share in shares),
        _number(row.shown.milliseconds_per_suggestion.median if row.shown else None, ".2f"),
        _number(row.microseconds_per_character_read, ".1f"),
        _number(row.microseconds_per_step, ".1f"),
        "–" if row.state_bytes is None else _size(row.state_bytes),
    ]


def _number(value: float | None, form: str) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:{form}}"


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{count / 2**10:.1f} KB"

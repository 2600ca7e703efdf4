"""Shows the figures: a table for the terminal, and a plot of delay by load."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from loadtest.figures import Load, LoadFigures


def print_table(figures: LoadFigures, console: Console) -> None:
    """Prints a row for each step and one for all steps, then the other figures."""
    title = f"{figures.checkpoint} on {figures.store}, delays in milliseconds"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("typists", no_wrap=True)
    for column in ("requests", "per s", "errors", "late", "resyncs", "median", "p90", "p99"):
        table.add_column(column, justify="right")
    for step in figures.steps:
        table.add_row(*_row(str(step.typists), step))
    table.add_section()
    table.add_row(*_row("all steps", figures.total))
    table.add_row(*_row("opening", figures.opening))
    console.print(table)
    service = figures.service
    console.print(
        f"{figures.keystrokes_saved:.1%} of {figures.characters} keystrokes saved; the service "
        f"used {service.cores:.2f} cores and at most {service.peak_megabytes:.0f} MB"
    )
    if len(service.worker_cores) > 1:
        shares = ", ".join(f"{cores:.2f}" for cores in service.worker_cores)
        console.print(f"cores of each worker: {shares}", highlight=False)
    for error, count in figures.errors.items():
        console.print(f"[red]{count} times:[/] {error}", highlight=False)


def save_plot(figures: LoadFigures, file: Path) -> None:
    """Draws the percentiles of the delay against the number of typists, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=(7, 4.2), layout="constrained"))
    axes = canvas.figure.add_subplot()
    for name, style in (("p99", ":"), ("p90", "--"), ("median", "-")):
        points = [(s.typists, getattr(s.delay, name)) for s in figures.steps]
        drawn = [(x, y) for x, y in points if y is not None]
        axes.plot([x for x, _ in drawn], [y for _, y in drawn], style, marker="o", label=name)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xlim(left=0)
    axes.set_xticks([s.typists for s in figures.steps])
    axes.set_xlabel(f"typists, {figures.plan.keys_per_second:g} keystrokes a second each")
    axes.set_ylabel("milliseconds to a suggestion")
    axes.set_title(f"{figures.checkpoint}, sessions in {figures.store}", loc="left", fontsize=10)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    canvas.print_png(str(file))


def _row(name: str, load: Load) -> list[str]:
    delays = (load.delay.median, load.delay.p90, load.delay.p99)
    return [
        name,
        str(load.requests),
        f"{load.requests_per_second:.1f}",
        str(load.errors),
        str(load.superseded),
        str(load.resyncs),
        *("–" if d is None else f"{d:.1f}" if d < 1000 else f"{d:.0f}" for d in delays),
    ]

"""Makes the texts that the shipped checkpoints learn from, as folders of documents.

    python -m training.texts runs/texts --prose CORPUS

`CORPUS` is the folder of prose corpora that training/README.md describes.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID

from training.corpus import CorpusError
from training.texts.archives import INDEX
from training.texts.manifest import describe
from training.texts.recipe import Recipe
from training.texts.sources import LIST, read_sources


def _main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.texts",
        description="Make the texts that the shipped checkpoints learn from.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder they are written to")
    parser.add_argument("--only", choices=("python", "prose"), help="one of the two corpora")
    parser.add_argument(
        "--prose", type=Path, metavar="CORPUS", help="prose corpora, with train and validation"
    )
    parser.add_argument(
        "--archives", type=Path, metavar="DIR", help="where archives are kept; OUT/archives"
    )
    parser.add_argument(
        "--sources", type=Path, default=LIST, metavar="FILE", help="another list of sources"
    )
    parser.add_argument(
        "--index",
        default=os.environ.get("PIP_INDEX_URL", INDEX),
        metavar="URL",
        help=f"the package index; PIP_INDEX_URL, or {INDEX}",
    )
    parser.add_argument(
        "--share",
        type=share,
        default=1.0,
        metavar="S",
        help="take a random part of the sources' files, 0 to 1, for a shorter training; the "
        "standard library and the prose corpora are taken whole",
    )
    parser.add_argument(
        "--describe",
        choices=("python", "prose"),
        help="make nothing: say what a corpus that was made holds, for a checkpoint's card",
    )
    options = parser.parse_args()
    console = Console(stderr=True)
    try:
        if not (options.describe or options.only == "python"):
            _check_prose(options.prose)
        if options.describe:
            sys.stdout.write(describe(options.out, options.describe) + "\n")
        else:
            _make(options, console)
    except CorpusError as error:
        console.print(escape(str(error)), highlight=False, soft_wrap=True)
        return 2
    except OSError as error:
        place = error.filename or options.out
        console.print(escape(f"{place}: {error.strerror}"), highlight=False, soft_wrap=True)
        return 2
    return 0


def share(words: str) -> float:
    """A part of the whole, for `--share`."""
    if not 0 < (part := float(words)) <= 1:
        raise ValueError
    return part


def _check_prose(corpora: Path | None) -> None:
    """Raises CorpusError before code is fetched for minutes, not after it."""
    if corpora is None:
        raise CorpusError("--prose: name the folder of prose corpora, or say --only python")
    for side in ("validation", "train"):
        if not (corpora / side).is_dir():
            raise CorpusError(f"{corpora / side}: no such file or folder")


def _make(options: argparse.Namespace, console: Console) -> None:
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(escape(name))
            bar.update(tasks[name], completed=done, total=total, visible=done < total)

        recipe = Recipe(
            options.out,
            read_sources(options.sources),
            options.archives or options.out / "archives",
            options.prose,
            share=options.share,
            index=options.index,
            say=lambda line: console.print(escape(line), highlight=False, soft_wrap=True),
            advance=advance,
        )
        recipe.clear()
        try:
            if options.only != "prose":
                recipe.make_python()
            if options.only != "python":
                recipe.make_prose()
        finally:
            recipe.clear()


if __name__ == "__main__":
    sys.exit(_main())

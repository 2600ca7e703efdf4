"""Averages two finished networks of one shape, of which the second began with the first.

    python -m training.finishing.average FIRST SECOND TEXT… --validation TEXT --out DIR

Where a network learnt on from another one, the mean of both is better than either (Izmailov et al.,
"Averaging weights leads to wider optima", 2018). The tables of both held the same texts; together
they are trusted less than one that has read a text once, so that their shares need not add up to 1.
TEXT is what they were trained on: by it weights are clipped, and adaptation is primed on beginnings
of all of it; `python -m training.finishing.priming` does that again with other text.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from model import checkpoint
from model.checkpoint import Checkpoint
from model.errors import CheckpointError, ModelError
from model.network.config import Weights
from model.network.network import Network
from training.corpus import CorpusError, Selection, read
from training.evaluation.validation import Validation
from training.finishing.quantization import VALIDATED, QuantizationError, finish
from training.reporting.card import model_card

SHARE = 0.75
"""How much of the mean is the second network."""
TABLES = (0.40, 0.45)
"""By what the rows of both are multiplied before they are added."""


def average(
    first: Checkpoint,
    second: Checkpoint,
    share: float = SHARE,
    tables: tuple[float, float] = TABLES,
) -> Network:
    """The mean, of which the second has the `share`, and the rows of the second.

    A row that the first has not is multiplied with the shares of both tables. Raises ModelError
    where the networks have not one shape.
    """
    if replace(first.config, opening="") != replace(second.config, opening=""):
        raise ModelError(f"{second.name} has another shape or vocabulary than {first.name}")
    one, other = Network(first.config), Network(second.config)
    one.load_weights(first.weights)
    other.load_weights(second.weights)
    levels = [_level(network) for network in (one, other)]
    with torch.no_grad():
        for mean, old in zip(other.parameters(), one.parameters(), strict=True):
            mean.lerp_(old, 1 - share)
        if one.contexts is not None and other.contexts is not None:
            kept = np.flatnonzero(np.unpackbits(other.contexts.kept.kept, bitorder="little"))
            slots = torch.from_numpy(one.contexts.kept.slots(kept))
            known = (slots < one.contexts.kept.count).float()[:, None]
            rows = other.contexts.rows[:-1]
            rows.mul_(levels[1] * (tables[1] + tables[0] * (1 - known)))
            rows.add_(one.contexts.rows[slots], alpha=levels[0] * tables[0])
    return other


def _level(network: Network) -> float:
    """Divides the output layer's columns of the contexts by their root mean square, and returns it.

    What they are multiplied with and what the rows are is then comparable between networks.
    """
    with torch.no_grad():
        columns = network.output.weight[:, network.config.hidden :]
        level = float(columns.square().mean().sqrt()) if columns.numel() else 0.0
        level = level or 1.0
        columns.div_(level)
    return level


def main(arguments: Sequence[str] | None = None) -> int:
    """Averages the checkpoints that are named into a new one; returns an exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.finishing.average", description=__doc__
    )
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("text", nargs="+", type=Path, help="what they were trained on")
    parser.add_argument("--validation", action="append", type=Path, required=True, metavar="TEXT")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--share", type=_share, default=SHARE, help="of the second, 0 to 1")
    parser.add_argument(
        "--tables",
        type=_share,
        nargs=2,
        default=TABLES,
        metavar=("FIRST", "SECOND"),
        help="by what the rows of each are multiplied before they are added, 0 to 1",
    )
    options = parser.parse_args(arguments)
    tables: tuple[float, float] = tuple(options.tables)
    try:
        corpus = read(options.text, Selection(), options.validation)
        first, second = checkpoint.load(options.first), checkpoint.load(options.second)
        mean = average(first, second, options.share, tables)
        held_out = Validation(corpus.validation, second.vocabulary, VALIDATED)
        described = {
            "average": {"share": options.share, "tables": list(tables)},
            "validation_bits_per_character": round(held_out.bits_per_character(mean), 4),
        }
        options.out.mkdir(parents=True, exist_ok=True)
        # What is there, which may be one of the two, is replaced by nothing unfinished.
        with TemporaryDirectory(dir=options.out, prefix=".average-") as folder:
            made = Path(folder) / options.out.resolve().name
            save(made, second, mean.weights(), described)
            cost = finish(made, corpus)
            curve = options.second / "loss.png"
            if curve.is_file():
                shutil.copy(curve, made)
            for file in sorted(made.iterdir()):
                checkpoint.replace(options.out / file.name, file.read_bytes())
    except (CorpusError, ModelError, QuantizationError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.out}: {cost.served_bits:.4f} bits a character on held-out text, as served")
    return 0


def save(folder: Path, second: Checkpoint, weights: Weights, described: Mapping[str, Any]) -> None:
    """Writes the mean as a network that is trained and not yet finished.

    Raises CheckpointError where the second network's training is not described.
    """
    if "settings" not in second.training:
        raise CheckpointError(f"{second.name} does not tell how it was trained")
    known = ("quantization", "adaptation", "calibration", "metrics")
    kept = {name: value for name, value in second.training.items() if name not in known}
    summary = {**kept, **described}
    checkpoint.save(
        folder, second.config, weights, summary, model_card(folder.name, second.config, summary)
    )


def _share(text: str) -> float:
    share = float(text)
    # Not a number compares as false.
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share


if __name__ == "__main__":
    sys.exit(main())

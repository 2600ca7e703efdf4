"""The model card: what a checkpoint was trained on, what it cost, how well it does, its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.config import NetworkConfig

LIMITS = """\
It knows characters, not meaning: it continues what looks like its training text, in that text's
language and style, and is of little use on others. It can repeat passages of its training text
word for word. It must not be asked for facts."""


def model_card(name: str, config: NetworkConfig, summary: Mapping[str, Any]) -> str:
    """The card as Markdown, from the network's shape and the summary of its training."""
    settings = summary["settings"]
    metrics = summary.get("metrics")
    lines = [
        f"# {name}",
        "",
        f"A character-level {config.cell.upper() if config.cell != 'elman' else 'Elman'} network "
        f"of nextchar: {config.layers} layer{'s' if config.layers > 1 else ''} of "
        f"{config.hidden} units, {summary['vocabulary']} symbols.",
        "",
        "## Data",
        "",
        summary["data"] or "Not described when it was trained (`--data`).",
        "",
        f"{summary['train_documents']:,} documents to train on, "
        f"{summary['train_characters']:,} characters; "
        f"{summary['validation_documents']:,} documents held out.",
        "",
        "## Training",
        "",
        f"Preset `{summary['preset']}`: {summary['minutes']} minutes, "
        f"{summary['characters_read']:,} characters read "
        f"({summary['characters_read'] / max(1, summary['train_characters']):.1f} epochs) in "
        f"{summary['steps']:,} steps of {settings['streams']} × {settings['window']} characters; "
        f"AdamW at {settings['learning_rate']}.",
        "",
        f"Held-out text: {summary['validation_bits_per_character']} bits a character by the float "
        "network while training (loss.png shows the curve).",
        "",
    ]
    if metrics:
        lines += ["## Figures", "", f"`{metrics['command']}`:", ""]
        lines += ["| figure | value |", "| --- | --- |"]
        lines += [f"| {label} | {value} |" for label, value in metrics["figures"].items()]
        lines.append("")
    lines += ["## Limits", "", LIMITS, ""]
    return "\n".join(lines)

"""The model card: a checkpoint's training text, its training, its figures and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model import checkpoint
from model.errors import CheckpointError
from model.network.config import NetworkConfig
from training.evaluation.evaluation import Evaluation

LIMITS = """\
It knows characters, not meaning: it continues what looks like its training text, in that text's
language and style, and is of little use on others. It can repeat passages of its training text
word for word. It must not be asked for facts."""


def model_card(name: str, config: NetworkConfig, summary: Mapping[str, Any]) -> str:
    """The card as Markdown, from the network's shape and the summary of its training."""
    lines = [
        f"# {name}",
        "",
        f"A character-level {config.kind.title} network of nextchar: {config.layers} "
        f"layer{'s' if config.layers > 1 else ''} of {config.hidden} units, "
        f"{summary['vocabulary']} symbols.",
        *_contexts(config, summary),
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
        *_trainings(summary),
        _validation(summary),
        "",
    ]
    if "quantization" in summary:
        lines += [_quantization(config, summary["quantization"]), ""]
    if "adaptation" in summary:
        lines += [_adaptation(summary["adaptation"]), ""]
    if "metrics" in summary:
        lines += ["## Figures", "", *_figures(summary["metrics"]), ""]
    if "calibration" in summary:
        lines += ["## Calibration", "", *_calibration(summary["calibration"]), ""]
    lines += ["## Limits", "", LIMITS, ""]
    return "\n".join(lines)


def _validation(summary: Mapping[str, Any]) -> str:
    """The float network's bits a character on held-out text."""
    network = (
        "network that is the mean (loss.png shows the curve of the training before)."
        if "average" in summary
        else "network while training (loss.png shows the curve)."
    )
    bits = summary["validation_bits_per_character"]
    return f"Held-out text: {bits} bits a character by the float {network}"


def _quantization(config: NetworkConfig, found: Mapping[str, Any]) -> str:
    """What serving in integers costs."""
    served = (
        f"As served, in integers: {found['served_bits']:.4f} bits a character on the same text, "
        f"{_change(found['served_bits'], found['float_bits'])} against floating point"
    )
    if "packed_bits" not in found or not config.contexts:
        return f"{served}."
    return (
        f"{served}; of this, {_change(found['packed_bits'], found['float_bits'])} by packing the "
        "contexts' rows. Rows are chosen before training, so that leaving others out costs a "
        "trained network nothing."
    )


def _adaptation(found: Mapping[str, Any]) -> str:
    """The text that adaptation was primed on, and the bits a character with it."""
    primed = (
        f"Adaptation to the text at hand was primed on {found['ids']:,} ids of "
        f"{found.get('data', 'training text')}: {found['network_bits']:.3f} bits an id by the "
        f"network, {found['adapted_bits']:.3f} adapted."
    )
    if "held_out_bits" not in found:
        return primed
    return f"{primed} On the held-out text: {found['held_out_bits']:.4f} bits a character."


def _training(summary: Mapping[str, Any]) -> str:
    """The preset, time, steps and learning rate of one training, in one sentence."""
    settings = summary["settings"]
    return (
        f"Preset `{summary['preset']}`: {summary['minutes']} minutes"
        f"{' on one ' + summary['device'] if 'device' in summary else ''}, "
        f"{summary['characters_read']:,} characters read "
        f"({summary['characters_read'] / max(1, summary['train_characters']):.1f} epochs) in "
        f"{summary['steps']:,} steps of {settings['streams']} × {settings['window']} characters; "
        f"AdamW at {settings['learning_rate']}."
    )


def _trainings(summary: Mapping[str, Any]) -> list[str]:
    """All trainings in their order, and the averaging after them."""
    before = summary.get("before")
    lines = _trainings(before) if before else []
    lines += [f"{'Then, with empty tables: ' if before else ''}{_training(summary)}", ""]
    if average := summary.get("average"):
        old, new = average["tables"]
        lines += [
            "Then the mean with the network that it began with, "
            f"{100 * average['share']:g} % of it this one; of the contexts' rows {old:g} of the "
            f"other's and {new:g} of this one's.",
            "",
        ]
    return lines


def _contexts(config: NetworkConfig, summary: Mapping[str, Any]) -> list[str]:
    """The hashed contexts, where the network has them."""
    if not config.contexts:
        return []
    orders = [name for name in config.contexts if name.isdecimal()]
    words = [
        {"word": "the word so far", "words": "that with the word before"}[name]
        for name in config.contexts
        if not name.isdecimal()
    ]
    rows = f"{summary['context_rows']:,} rows of " if "context_rows" in summary else ""
    seen = [f"the last {', '.join(orders)} characters"] if orders else []
    return [
        "",
        f"Beside them, hashed contexts ({', '.join(seen + words)}): {rows}{config.context_width} "
        f"numbers each, in a table of 2^{config.context_bits}.",
    ]


def record(folder: Path, evaluation: Evaluation) -> None:
    """Writes an evaluation's figures into the config.json and the card of a checkpoint.

    Raises CheckpointError for a checkpoint whose training is not described, and OSError where the
    folder cannot be written.
    """
    loaded = checkpoint.load(folder)
    if "settings" not in loaded.training:
        raise CheckpointError(
            f"{folder / checkpoint.CONFIG_FILE}: no training is described, so there is no card to "
            "record figures in; leave out --record"
        )
    metrics = {
        "documents": len(evaluation.documents),
        "max_chars": evaluation.options.max_chars,
        "min_confidence": evaluation.options.min_confidence,
        "bits_per_character": evaluation.bits_per_character,
        **asdict(evaluation.typist),
    }
    summary = {**loaded.training, "metrics": metrics}
    card = model_card(loaded.name, loaded.config, summary)
    checkpoint.save(folder, loaded.config, loaded.weights, summary, card)


def _figures(metrics: Mapping[str, Any]) -> list[str]:
    """The figures of `nextchar evaluate --record`, as a table."""
    rows = [
        ("bits a character", f"{metrics['bits_per_character']:.3f}"),
        ("keystrokes saved", _percent(metrics["keystrokes_saved"])),
        ("keys at which something is shown", _percent(metrics["shown"])),
        ("shown suggestions that are accepted", _percent(metrics["accepted"])),
        ("calibration error", _percent(metrics["calibration_error"])),
    ]
    return [
        f"By `nextchar evaluate` on the {metrics['documents']} held-out documents, "
        f"{metrics['characters']:,} characters, as served; suggestions of at most "
        f"{metrics['max_chars']} characters, whole with a probability of at least "
        f"{metrics['min_confidence']}.",
        "",
        "| figure | value |",
        "| --- | --- |",
        *(f"| {label} | {value} |" for label, value in rows),
    ]


def _calibration(found: Mapping[str, Any]) -> list[str]:
    """The figures of `nextchar calibrate`, and its diagram."""
    return [
        f"By `nextchar calibrate` on {found['documents']} held-out documents and "
        f"{found['suggestions']:,} suggestions: the network's own probability that a suggestion is "
        f"right is off by {_percent(found['error_before'])} (expected calibration error), the "
        f"confidence that is served by {_percent(found['error_after'])} on documents that it was "
        "not fitted to.",
        "",
        "![Reliability diagram](calibration.png)",
    ]


def _change(bits: float, before: float) -> str:
    """The difference with its sign. Where it rounds to zero this is +0.0000, not -0.0000."""
    return f"{round(bits - before, 4) + 0.0:+.4f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"

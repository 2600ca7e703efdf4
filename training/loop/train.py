"""The training loop: truncated backpropagation through time over streams of text."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model import checkpoint
from model.checkpoint import Checkpoint
from model.network.config import NetworkConfig
from model.vocabulary import Vocabulary
from training.backpropagation.allocator import keep_freed_memory
from training.backpropagation.precision import choose_precision
from training.backpropagation.steps import step_of
from training.corpus import Corpus
from training.evaluation.validation import Validation
from training.finishing.quantization import finish
from training.loop.history import History, Measurement
from training.loop.run import CPU, ResumeError, Run, check_place
from training.loop.schedule import Budget, Clock, learning_rate
from training.presets import Preset
from training.reporting.card import model_card
from training.reporting.plots import plot_loss
from training.reporting.progress import Progress
from training.reporting.samples import sample

VALIDATIONS = 20
"""How many times a run is measured on the held-out documents, at the most."""
MEASURING = 0.1
"""The share of the time that measuring may take: a short run is measured less often."""
PATIENCE = 10
"""After so many measurements without a better one, training stops; not with tables, which forget
what they hold where a reading of the text begins."""
PLANNED = 0.02
"""The share of the budget after which it shows how often the text can be read."""
SAVING = 15 * 60
"""After so many seconds a run that can go on later is saved."""


def train(
    corpus: Corpus,
    out: Path,
    preset: Preset,
    budget: Budget,
    *,
    name: str = "default",
    data: str = "",
    seed: int = 1,
    minimum_count: int = 100,
    threads: int | None = None,
    resume: Path | None = None,
    device: torch.device = CPU,
    base: Checkpoint | None = None,
    progress: Progress | None = None,
) -> History:
    """Trains a network on a corpus and leaves the best by validation in `out`.

    A checkpoint is written at every measurement that is better than all before, so that a run
    that is cut off leaves the best so far. Ctrl-C ends the run early in the same way.
    With a `base` its network and vocabulary are the beginning; the tables are learnt anew, and its
    `opening` is not taken over. What is left is fit to be served in integers. Where `resume` is a
    file, the run goes on from it; it is written every quarter of an hour and at the end. Raises
    QuantizationError where integers would cost too much, ResumeError for a file of another run or
    one that cannot be written, a base of another shape, or none for a preset that needs one, and
    OSError where `out` cannot be written.
    """
    if base is not None and not _has_shape(base.config, preset):
        raise ResumeError(
            f"{base.name} has another shape than preset {name}: begin with one that has it, or "
            "choose the preset that it was trained with"
        )
    if base is None and preset.frozen:
        raise ResumeError(
            f"preset {name} leaves the recurrent layers as they are: name a network that has "
            "learnt with --again"
        )
    out.mkdir(parents=True, exist_ok=True)
    if resume is not None:
        check_place(resume)
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    progress = progress or Progress()

    if base is None:
        vocabulary = Vocabulary.learn((d.text for d in corpus.train), minimum_count)
        config = NetworkConfig(
            preset.cell,
            preset.layers,
            preset.hidden,
            vocabulary.characters,
            contexts=preset.contexts,
            context_width=preset.context_width,
            context_bits=preset.context_bits,
        )
    else:
        vocabulary, config = base.vocabulary, replace(base.config, opening="")
    documents = [vocabulary.encode(d.text) for d in corpus.train]
    late = np.array([d.late for d in corpus.train])
    run = Run(config, preset, documents, seed, late, device, base)
    if resume is not None and resume.exists():
        run.load(resume)
    validation = Validation(corpus.validation, vocabulary, characters=100_000)
    precision = choose_precision(preset.precision, run.streams, preset.hidden, device)

    step = step_of(run, precision)

    network, history = run.network, run.history
    clock = Clock(budget, already=run.seconds, epoch=run.epoch)
    spent = clock.spent(run.step)
    next_measurement = 0.0
    next_save = clock.seconds + SAVING
    try:
        progress.begin(corpus, config, network.size, budget, out)
        while spent < 1 and run.completed < (run.readings or math.inf):
            for window in run.windows():
                spent = clock.spent(run.step)
                if spent >= 1:
                    break
                if run.readings is None and spent >= PLANNED:
                    run.plan(budget.epochs or run.step / spent / run.epoch)
                rate = learning_rate(spent, preset.learning_rate, preset.warm_up, preset.decay)
                bits, norm = step(window, rate)
                run.step += 1
                run.characters += window.characters
                run.seconds = clock.seconds
                progress.step(run.step, run.characters, bits, norm, spent, run.seconds)
                history.observe(bits, norm)

                if spent >= 1 / VALIDATIONS and run.seconds >= next_measurement:
                    _measure(run, validation)
                    measuring = clock.seconds - run.seconds
                    next_measurement = max(
                        clock.seconds + measuring / MEASURING,
                        run.seconds / spent * (spent + 1 / VALIDATIONS),
                    )
                    progress.measured(history, sample(network, vocabulary, seed=run.step))
                    if history.improved:
                        _save(out, run, corpus, name, data)
                    elif run.table is None and history.since_best >= PATIENCE:
                        spent = 1.0
                        history.stopped_early = True
                        break
                if resume is not None and clock.seconds >= next_save:
                    run.save(resume)
                    next_save = clock.seconds + SAVING
    except KeyboardInterrupt:
        history.interrupted = True
    run.seconds = clock.seconds
    if not history.measurements or history.measurements[-1].step < run.step:
        _measure(run, validation)
        if history.improved:
            _save(out, run, corpus, name, data)
    if resume is not None:
        run.save(resume)
    plot_loss(history, out / "loss.png")
    progress.finishing()
    progress.end(history, finish(out, corpus), out)
    return history


def _has_shape(config: NetworkConfig, preset: Preset) -> bool:
    names = ("cell", "layers", "hidden", "contexts", "context_width", "context_bits")
    return all(getattr(config, name) == getattr(preset, name) for name in names)


def _measure(run: Run, validation: Validation) -> None:
    history = run.history
    history.add(
        Measurement(
            run.step,
            run.characters,
            run.seconds,
            history.recent_bits,
            validation.bits_per_character(run.network),
            history.recent_norm,
        )
    )


def _save(out: Path, run: Run, corpus: Corpus, name: str, data: str) -> None:
    config, base = run.network.config, run.base
    summary = {
        "preset": name,
        "settings": run.preset.to_json(),
        "data": data,
        **({"device": torch.cuda.get_device_name(run.device)} if run.device.type == "cuda" else {}),
        "train_documents": len(corpus.train),
        "train_characters": corpus.characters,
        "validation_documents": len(corpus.validation),
        "vocabulary": config.vocabulary().size,
        **run.history.summary(),
        **({"before": base.training} if base and "settings" in base.training else {}),
    }
    plot_loss(run.history, out / "loss.png")
    card = model_card(out.resolve().name, config, summary)
    importance = None if run.table is None else run.table.importance()
    checkpoint.save(out, config, run.network.weights(importance), summary, card)

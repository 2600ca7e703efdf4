"""The training loop: truncated backpropagation through time over streams of text."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model import checkpoint
from model.errors import readable
from model.network.config import NetworkConfig
from model.vocabulary import Vocabulary
from training.backpropagation.allocator import keep_freed_memory
from training.backpropagation.precision import choose_precision
from training.backpropagation.steps import step_of
from training.corpus import Corpus
from training.errors import ResumeError
from training.evaluation.validation import Validation
from training.finishing.quantization import VALIDATION_CHARACTERS, finish_checkpoint
from training.loop import saved_run
from training.loop.history import History, Measurement
from training.loop.options import RunOptions
from training.loop.run import Run
from training.loop.schedule import Budget, Clock, learning_rate
from training.loop.streams import EncodedDocuments
from training.presets import Preset
from training.reporting.card import model_card
from training.reporting.plots import plot_loss
from training.reporting.progress import Progress
from training.reporting.samples import sample

# A run is measured on the held-out documents about this many times at most.
MOST_MEASUREMENTS = 20
# Measuring takes at most about this share of the time: a short run is measured less often.
MEASURING_SHARE = 0.1
# Training stops after this many measurements in a row without a new best one. A network with tables
# goes on: the tables are emptied at the start of each epoch, and measurements are worse until they
# are filled again.
PATIENCE_MEASUREMENTS = 10
# After this share of the budget the speed is known well enough to plan the number of epochs.
PLANNING_SHARE = 0.02
# A run that is killed loses at most this much work.
SECONDS_BETWEEN_SAVES = 15 * 60


def train(
    corpus: Corpus,
    out: Path,
    preset: Preset,
    budget: Budget,
    options: RunOptions | None = None,
    progress: Progress | None = None,
) -> History:
    """Trains a network on a corpus, and leaves the one with the best validation in `out`.

    A checkpoint is written at every measurement that is better than all before, so that a run that
    is killed leaves the best so far. Ctrl-C ends the run early. At the end the checkpoint is made
    ready to be served (`finish_checkpoint`).

    Raises ResumeError for a base that does not fit the preset, and for a file of a saved run that
    does not fit or cannot be written; QuantizationError where serving in integers would cost too
    much; OSError where `out` cannot be written.
    """
    options = options or RunOptions()
    _check_base(preset, options)
    out.mkdir(parents=True, exist_ok=True)
    if options.resume is not None:
        saved_run.check_place(options.resume)
    keep_freed_memory()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    progress = progress or Progress()

    run = _new_run(corpus, preset, options)
    if options.resume is not None and options.resume.exists():
        saved_run.load(run, options.resume)
    network, reading, history = run.network, run.reading, run.history
    vocabulary = network.config.vocabulary()
    validation = Validation(corpus.validation, vocabulary, VALIDATION_CHARACTERS)
    precision = choose_precision(preset.precision, reading.streams, preset.hidden, run.device)

    step = step_of(run, precision)

    clock = Clock(budget, already=run.seconds, steps_per_epoch=reading.steps_per_epoch)
    spent = clock.spent(run.step)
    next_measurement = 0.0
    next_save = clock.seconds + SECONDS_BETWEEN_SAVES
    try:
        progress.begin(corpus, network.config, network.size, budget, out)
        while spent < 1 and reading.completed < (reading.planned_epochs or math.inf):
            for window in run.windows():
                spent = clock.spent(run.step)
                if spent >= 1:
                    break
                if reading.planned_epochs is None and spent >= PLANNING_SHARE:
                    reading.plan(budget.epochs or run.step / spent / reading.steps_per_epoch)
                rate = learning_rate(spent, preset.learning_rate, preset.warm_up, preset.decay)
                bits, norm = step(window, rate)
                run.step += 1
                run.characters += window.characters
                run.seconds = clock.seconds
                progress.step(run.step, run.characters, bits, norm, spent, run.seconds)
                history.observe(bits, norm)

                if spent >= 1 / MOST_MEASUREMENTS and run.seconds >= next_measurement:
                    _measure(run, validation)
                    measuring = clock.seconds - run.seconds
                    next_measurement = max(
                        clock.seconds + measuring / MEASURING_SHARE,
                        run.seconds / spent * (spent + 1 / MOST_MEASUREMENTS),
                    )
                    progress.measured(history, sample(network, vocabulary, seed=run.step))
                    if history.improved:
                        _save_checkpoint(out, run, corpus, options)
                    elif (
                        run.optimizers.tables is None
                        and history.since_best >= PATIENCE_MEASUREMENTS
                    ):
                        spent = 1.0
                        history.stopped_early = True
                        break
                if options.resume is not None and clock.seconds >= next_save:
                    saved_run.save(run, options.resume)
                    next_save = clock.seconds + SECONDS_BETWEEN_SAVES
    except KeyboardInterrupt:
        history.interrupted = True
    run.seconds = clock.seconds
    if not history.measurements or history.measurements[-1].step < run.step:
        _measure(run, validation)
        if history.improved:
            _save_checkpoint(out, run, corpus, options)
    if options.resume is not None:
        saved_run.save(run, options.resume)
    plot_loss(history, out / "loss.png")
    progress.finishing()
    progress.end(history, finish_checkpoint(out, corpus), out)
    return history


def _check_base(preset: Preset, options: RunOptions) -> None:
    """Raises ResumeError for a base of another shape, and where the preset needs a base."""
    base = options.base
    names = ("cell", "layers", "hidden", "contexts", "context_width", "context_bits")
    if base is None:
        if preset.frozen:
            raise ResumeError(
                f"preset {options.preset_name} leaves the recurrent layers as they are: name a "
                "network that has learnt with --again"
            )
    elif any(getattr(base.config, name) != getattr(preset, name) for name in names):
        raise ResumeError(
            f"{base.name} has another shape than preset {options.preset_name}: begin with one that "
            "has it, or choose the preset that it was trained with"
        )


def _new_run(corpus: Corpus, preset: Preset, options: RunOptions) -> Run:
    """A run that has not begun. Its vocabulary is the base's, or is learnt from the corpus.

    The base's `opening` is not taken over.
    """
    if options.base is None:
        vocabulary = Vocabulary.learn((d.text for d in corpus.train), options.minimum_count)
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
        vocabulary = options.base.vocabulary
        config = replace(options.base.config, opening="")
    documents = EncodedDocuments(
        [vocabulary.encode(d.text) for d in corpus.train], np.array([d.late for d in corpus.train])
    )
    device = torch.device(options.device)
    return Run(config, preset, documents, options.seed, device, options.base)


def _measure(run: Run, validation: Validation) -> None:
    """Adds a measurement on the held-out documents to the run's history."""
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


def _save_checkpoint(out: Path, run: Run, corpus: Corpus, options: RunOptions) -> None:
    """Writes the network as it is now, with its card and the curve so far."""
    config, base = run.network.config, run.base
    on_gpu = run.device.type == "cuda"
    summary = {
        "preset": options.preset_name,
        "settings": run.preset.to_json(),
        "data": options.data,
        **({"device": torch.cuda.get_device_name(run.device)} if on_gpu else {}),
        "train_documents": len(corpus.train),
        "train_characters": corpus.characters,
        "validation_documents": len(corpus.validation),
        "vocabulary": config.vocabulary().size,
        "epochs": run.reading.epochs,
        **run.history.summary(),
        **({"before": base.training} if base and "settings" in base.training else {}),
    }
    plot_loss(run.history, out / "loss.png")
    card = model_card(readable(out.resolve().name), config, summary)
    tables = run.optimizers.tables
    importance = None if tables is None else tables.importance()
    checkpoint.save(out, config, run.network.weights(importance), summary, card)

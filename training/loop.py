"""The training loop: truncated backpropagation through time over streams of text."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from model import checkpoint
from model.config import NetworkConfig
from model.network import Network
from model.vocabulary import Vocabulary
from training.allocator import keep_freed_memory
from training.card import model_card
from training.corpus import Corpus
from training.history import History, Measurement
from training.plots import plot_loss
from training.precision import choose_precision
from training.presets import Preset
from training.progress import Progress
from training.quantization import finish
from training.sampling import sample
from training.schedule import Budget, Clock, learning_rate
from training.streams import IGNORED, windows
from training.unrolled import forward
from training.validation import Validation

VALIDATIONS = 40
"""How many times a run is measured on the held-out documents, at the most."""
MEASURING = 0.1
"""The share of the time that measuring may take: a short run is measured less often."""
PATIENCE = 10
"""After so many measurements without a better one, training stops."""


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
    progress: Progress | None = None,
) -> History:
    """Trains a network on a corpus and leaves the best by validation in `out`.

    A checkpoint is written at every measurement that is better than all before, so that a run
    that is cut off leaves the best so far. Ctrl-C ends the run early in the same way.
    What is left is fit to be served in integers. Raises QuantizationError where that would cost
    too much, and OSError where `out` cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    progress = progress or Progress()

    vocabulary = Vocabulary.learn((d.text for d in corpus.train), minimum_count)
    documents = [vocabulary.encode(d.text) for d in corpus.train]
    validation = Validation(corpus.validation, vocabulary, characters=100_000)
    config = NetworkConfig(preset.cell, preset.layers, preset.hidden, vocabulary.characters)
    network = Network(config)
    optimizer = torch.optim.AdamW(
        network.parameters(), betas=(0.9, 0.99), weight_decay=preset.weight_decay
    )
    total = sum(len(d) for d in documents)
    streams = max(1, min(preset.streams, total // (2 * preset.window)))
    precision = choose_precision(preset.precision, streams, preset.hidden)

    history = History()
    clock = Clock(budget)
    step = characters = 0
    spent = next_measurement = 0.0
    try:
        progress.begin(corpus, config, sum(p.numel() for p in network.parameters()), budget, out)
        while spent < 1:
            history.epochs += 1
            state = network.initial(streams)
            for window in windows(
                documents, vocabulary.start, streams, preset.window, preset.restart, rng
            ):
                spent = clock.spent(step)
                if spent >= 1:
                    break
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(spent, preset.learning_rate, preset.warm_up)

                logits, state = forward(network, window.ids, state, precision)
                loss = functional.cross_entropy(
                    logits.flatten(0, 1), window.targets.flatten(), ignore_index=IGNORED
                )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(network.parameters(), preset.clip)
                optimizer.step()
                state = [tuple(part.detach() for part in layer) for layer in state]

                step += 1
                characters += window.characters
                bits = loss.item() / math.log(2)
                progress.step(step, characters, bits, float(norm), spent, clock.seconds)
                history.observe(bits, float(norm))

                if spent >= 1 / VALIDATIONS and clock.seconds >= next_measurement:
                    begin = clock.seconds
                    _measure(history, network, validation, step, characters, begin)
                    measuring = clock.seconds - begin
                    next_measurement = max(
                        clock.seconds + measuring / MEASURING,
                        begin / spent * (spent + 1 / VALIDATIONS),
                    )
                    progress.measured(history, sample(network, vocabulary, seed=step))
                    if history.improved:
                        _save(out, network, history, corpus, preset, name, data, vocabulary)
                    elif history.since_best >= PATIENCE:
                        spent = 1.0
                        history.stopped_early = True
                        break
    except KeyboardInterrupt:
        history.interrupted = True
    if not history.measurements or history.measurements[-1].step < step:
        _measure(history, network, validation, step, characters, clock.seconds)
    if history.improved:
        _save(out, network, history, corpus, preset, name, data, vocabulary)
    plot_loss(history, out / "loss.png")
    progress.end(history, finish(out, corpus), out)
    return history


def _measure(
    history: History,
    network: Network,
    validation: Validation,
    step: int,
    characters: int,
    seconds: float,
) -> None:
    history.add(
        Measurement(
            step,
            characters,
            seconds,
            history.recent_bits,
            validation.bits_per_character(network),
            history.recent_norm,
        )
    )


def _save(
    out: Path,
    network: Network,
    history: History,
    corpus: Corpus,
    preset: Preset,
    name: str,
    data: str,
    vocabulary: Vocabulary,
) -> None:
    summary = {
        "preset": name,
        "settings": asdict(preset),
        "data": data,
        "train_documents": len(corpus.train),
        "train_characters": corpus.characters,
        "validation_documents": len(corpus.validation),
        "vocabulary": vocabulary.size,
        **history.summary(),
    }
    plot_loss(history, out / "loss.png")
    card = model_card(out.resolve().name, network.config, summary)
    checkpoint.save(out, network.config, network.weights(), summary, card)

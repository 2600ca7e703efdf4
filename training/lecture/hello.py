"""An Elman network that learns one word, "hello", over the vocabulary [h, e, l, o].

The example that is drawn for every newcomer (Karpathy, The Unreasonable Effectiveness of Recurrent
Neural Networks, 2015): "l" must be followed by "l" once and by "o" once, so the character alone
does not tell what comes next; the state does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from model import checkpoint
from model.network.config import NetworkConfig
from model.network.network import Network
from training.lecture.graph import Graph, GraphStep, Vectors

WORD = "hello"
CONFIG = NetworkConfig("elman", 1, 16, "helo", byte_fallback=False)
STEPS = 100
PICTURE = "unrolled.png"


@dataclass(frozen=True)
class Lesson:
    """A network that has learnt the word, and its loss in bits a character at every step."""

    network: Network
    bits: tuple[float, ...]


Progress = Callable[[int, float, str], None]
"""Called with a step's number, its loss in bits a character, and what the network says then."""


def teach(
    steps: int = STEPS, seed: int = 1, progress: Progress = lambda step, bits, said: None
) -> Lesson:
    """Trains by backpropagation through the whole word, the start symbol read before it."""
    torch.manual_seed(seed)
    network = Network(CONFIG)
    vocabulary = CONFIG.vocabulary()
    ids = torch.from_numpy(vocabulary.encode(WORD)).long()
    read = torch.cat((torch.tensor([vocabulary.start]), ids[:-1]))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    bits = []
    for step in range(1, steps + 1):
        logits, _ = network(read[None], network.initial(1))
        loss = functional.cross_entropy(logits[0], ids)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bits.append(loss.item() / math.log(2))
        progress(step, bits[-1], vocabulary.decode(logits[0].argmax(dim=-1).tolist()))
    return Lesson(network, tuple(bits))


@torch.no_grad()
def unroll(network: Network) -> tuple[Graph, tuple[Vectors, ...]]:
    """The network reading the word: each step's likeliest next character, and its vectors."""
    vocabulary = network.config.vocabulary()
    steps, vectors = [], []
    state = network.initial(1)
    names = ("start", *WORD[:-1])
    for name, index in zip(names, (vocabulary.start, *vocabulary.encode(WORD[:-1])), strict=True):
        logits, state = network.step(torch.tensor([int(index)]), state)
        shares = torch.softmax(logits[0], dim=-1)
        best = int(shares.argmax())
        one_hot = functional.one_hot(torch.tensor(int(index)), vocabulary.size + 1)
        steps.append(GraphStep(name, vocabulary.symbol(best), float(shares[best])))
        vectors.append(
            Vectors(
                tuple(one_hot.float().tolist()),
                tuple(state[0][0][0].tolist()),
                tuple(shares.tolist()),
            )
        )
    return Graph(tuple(steps)), tuple(vectors)


def save(lesson: Lesson, folder: Path) -> None:
    """Leaves a checkpoint, which every verb reads, and the picture of the unrolled graph in it."""
    # Drawing takes longer to import than the lesson takes.
    from training.lecture.picture import draw

    summary = {"data": WORD, "steps": len(lesson.bits), "train_bits_per_character": lesson.bits[-1]}
    checkpoint.save(folder, CONFIG, lesson.network.weights(), summary)
    graph, vectors = unroll(lesson.network)
    title = f"An Elman network that has learnt “{WORD}”, unrolled"
    draw(graph, vectors, list(CONFIG.characters), title, folder / PICTURE)

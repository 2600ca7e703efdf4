"""An Elman network that learns one word, "hello", over the vocabulary [h, e, l, o].

This is the usual first example (Karpathy, The Unreasonable Effectiveness of Recurrent Neural
Networks, 2015). "l" is followed by "l" once and by "o" once, so that the character alone does not
tell what comes next; the state does.
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
    """A network that has learnt the word, and the loss of every step in bits a character."""

    network: Network
    bits: tuple[float, ...]


# Called with a step's number, its loss in bits a character, and what the network predicts then.
Progress = Callable[[int, float, str], None]


def teach(
    steps: int = STEPS, seed: int = 1, progress: Progress = lambda step, bits, said: None
) -> Lesson:
    """Trains by backpropagation through the whole word, before which the start symbol is read."""
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
    """The graph of the network as it reads the word, and the vectors of each step.

    Each step of the graph has the likeliest next character.
    """
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
    """Writes a checkpoint that every verb can read, with a picture of the unrolled graph."""
    # Importing the drawing takes longer than the lesson, so it is done only here.
    from training.lecture.picture import draw

    summary = {"data": WORD, "steps": len(lesson.bits), "train_bits_per_character": lesson.bits[-1]}
    checkpoint.save(folder, CONFIG, lesson.network.weights(), summary)
    graph, vectors = unroll(lesson.network)
    title = f"An Elman network that has learnt “{WORD}”, unrolled"
    draw(graph, vectors, list(CONFIG.characters), title, folder / PICTURE)

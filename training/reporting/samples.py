"""Samples of what a network writes during its training (Karpathy, 2015).

Each character that is drawn becomes the next input: the shape one to many.
"""

from __future__ import annotations

import torch

from model.network.network import Network
from model.vocabulary import Vocabulary


@torch.no_grad()
def sample(
    network: Network,
    vocabulary: Vocabulary,
    length: int = 160,
    temperature: float = 0.7,
    seed: int = 0,
) -> str:
    """A text of `length` ids, drawn one by one from the float network after the start symbol."""
    generator = torch.Generator().manual_seed(seed)
    state = network.initial(1)
    device = network.output.weight.device
    read = torch.tensor([vocabulary.start], device=device)
    ids: list[int] = []
    for _ in range(length):
        logits, state = network.step(read, state)
        probabilities = torch.softmax(logits / temperature, dim=-1).cpu()
        read = torch.multinomial(probabilities, 1, generator=generator).flatten().to(device)
        ids.append(int(read))
    return vocabulary.decode(ids)

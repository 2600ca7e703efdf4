"""Bits a character of the float network on held-out documents, during training.

The figures of a finished checkpoint come from `nextchar evaluate`, in the served arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from model.network.network import Network
from model.vocabulary import Vocabulary
from training.backpropagation.unrolled import forward
from training.corpus import Document
from training.loop.streams import IGNORED

# The steps of one forward pass. Only the state is kept between passes, which bounds the memory.
WINDOW = 256


class Validation:
    """Held-out documents, each cut to at most the same number of characters, read side by side.

    The limit is `characters` divided by the number of documents, but at least 100 and at most 8000.
    """

    def __init__(
        self, documents: Sequence[Document], vocabulary: Vocabulary, characters: int
    ) -> None:
        limit = max(100, min(8000, characters // max(1, len(documents))))
        self.texts = [d.text[:limit] for d in documents if d.text]
        self.characters = sum(len(text) for text in self.texts)
        encoded = [vocabulary.encode(text) for text in self.texts]
        longest = max((len(ids) for ids in encoded), default=0)
        ids = np.full((longest, len(encoded)), 0, dtype=np.int64)
        targets = np.full_like(ids, IGNORED)
        for column, text_ids in enumerate(encoded):
            ids[0, column] = vocabulary.start
            ids[1 : len(text_ids), column] = text_ids[:-1]
            targets[: len(text_ids), column] = text_ids
        self._ids = torch.from_numpy(ids)
        self._targets = torch.from_numpy(targets)

    @torch.no_grad()
    def bits_per_character(self, network: Network) -> float:
        """The mean of −log₂ p over all characters.

        A character that is spelt in bytes counts with the sum of its bytes' bits.
        """
        state = network.initial(self._ids.shape[1])
        nats = 0.0
        device = network.output.weight.device
        for begin in range(0, len(self._ids), WINDOW):
            ids = self._ids[begin : begin + WINDOW].to(device)
            targets = self._targets[begin : begin + WINDOW].to(device)
            logits, state = forward(network, ids, state, torch.float32)
            nats += functional.cross_entropy(
                logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
            ).item()
        return nats / math.log(2) / self.characters

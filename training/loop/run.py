"""A run of training: the network, its optimisers, and how far through the text they are."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from model.checkpoint import Checkpoint
from model.network.cells import State
from model.network.config import NetworkConfig
from model.network.contexts import pack_bits
from model.network.network import Network
from training.contexts.tables import choose_rows, count_rows
from training.loop.history import History
from training.loop.optimizers import Optimizers
from training.loop.reading import ReadingOrder
from training.loop.streams import EncodedDocuments, Window
from training.presets import Preset

CPU = torch.device("cpu")

# The rate of the tables rises over the first ids of an epoch. The tables are empty then, and a
# large window would move the rows that it reads most often too far.
TABLE_WARM_UP_IDS = 2 * 64 * 64


class Run:
    """All that one training consists of.

    `state` is where the recurrent layers are in each stream, `seconds` the time spent so far.
    """

    def __init__(
        self,
        config: NetworkConfig,
        preset: Preset,
        documents: EncodedDocuments,
        seed: int,
        device: torch.device = CPU,
        base: Checkpoint | None = None,
    ) -> None:
        """Begins with the network of `base` where there is one, which must have this shape.

        Its tables are not taken over: they are empty at first, as for a new network.
        """
        torch.manual_seed(seed)
        self.preset = preset
        self.documents = documents
        self.device = device
        self.base = base
        self.network = Network(config).to(device)
        if base is not None:
            self.network.load_dense(base.weights)
        for cell in self.network.layers():
            cell.requires_grad_(not preset.frozen)
        self.optimizers = Optimizers(self.network, preset)
        if self.network.contexts is not None:
            rows = choose_rows(count_rows(documents.ids, config), preset.context_rows)
            self.optimizers.keep_rows(pack_bits(rows, config.context_bits))
        self.reading = ReadingOrder(documents, config.vocabulary(), preset, seed)
        self.history = History()
        self.step = self.characters = 0
        self.seconds = 0.0
        self.state = self.network.initial(self.reading.streams)

    def windows(self) -> Iterator[Window]:
        """The windows that are left of the epoch; those of a new one where none has begun.

        A new epoch begins with an empty state and with empty tables. A row must not hold the very
        text that is being read: the network would learn to trust it more than it may later.
        """
        if not self.reading.within_epoch:
            self.carry(self.network.initial(self.reading.streams))
            if self.optimizers.tables is not None and self.reading.epochs:
                self.optimizers.tables.forget()
        yield from self.reading.windows()

    def carry(self, state: list[State]) -> None:
        """Goes on from a state without the graph that made it: the gradient ends at a window."""
        for layer, after in zip(self.state, state, strict=True):
            for part, new in zip(layer, after, strict=True):
                part.copy_(new.detach())

    @property
    def tables_learn(self) -> bool:
        """Whether the tables take part: in the preset's last epochs, or in all where that is 0."""
        last, planned = self.preset.table_readings, self.reading.planned_epochs
        in_last = planned is not None and self.reading.epochs > planned - last
        return self.optimizers.tables is not None and (last == 0 or in_last)

    @property
    def table_rate(self) -> float:
        """The rate at which the tables learn from the next window."""
        return self.preset.table_rate * min(1.0, self.reading.ids_in_epoch / TABLE_WARM_UP_IDS)

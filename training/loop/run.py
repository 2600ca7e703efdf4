"""A training run: the network, its optimisers, its reading order and its history."""

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

# The rate of the tables rises over this many ids at the start of an epoch. The tables are empty
# then, and a large window would move the rows that it reads most often too far.
TABLE_WARM_UP_IDS = 2 * 64 * 64


class Run:
    """Everything that belongs to one training run.

    `state` is the network's state in each stream. `step`, `characters` and `seconds`
    count what has been done so far.
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
        """With a `base` of the same shape, the run begins with its network.

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
        """The windows that are left in this epoch; a new epoch's windows where none has begun.

        A new epoch begins with an empty state and empty tables. If rows already held the text that
        is being read, the network would learn to trust them more than it can on new text.
        """
        if not self.reading.within_epoch:
            self.carry(self.network.initial(self.reading.streams))
            if self.optimizers.tables is not None and self.reading.epochs:
                self.optimizers.tables.forget()
        yield from self.reading.windows()

    def carry(self, state: list[State]) -> None:
        """Copies a state without its graph, so that the gradient ends at the window's edge."""
        for layer, after in zip(self.state, state, strict=True):
            for part, new in zip(layer, after, strict=True):
                part.copy_(new.detach())

    @property
    def tables_learn(self) -> bool:
        """Whether the tables take part and learn in this epoch.

        They do in the last `table_readings` epochs of the preset, or in all where that is 0.
        """
        last, planned = self.preset.table_readings, self.reading.planned_epochs
        in_last = planned is not None and self.reading.epochs > planned - last
        return self.optimizers.tables is not None and (last == 0 or in_last)

    @property
    def table_rate(self) -> float:
        """The rate at which the tables learn from the current window."""
        return self.preset.table_rate * min(1.0, self.reading.ids_in_epoch / TABLE_WARM_UP_IDS)

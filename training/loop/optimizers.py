"""The optimisers: AdamW for the network's parameters, Adagrad for the contexts' rows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.network.network import Network
from training.contexts.hashing import TensorContexts
from training.contexts.tables import RowAdagrad
from training.presets import Preset


class Optimizers:
    """The optimisers of one network, which must be on its device already.

    Parameters with `requires_grad` False at this moment are left as they are.
    """

    def __init__(self, network: Network, preset: Preset) -> None:
        self.network = network
        self.clip = preset.clip
        self.learning = [p for p in network.parameters() if p.requires_grad]
        self.adam = torch.optim.AdamW(
            self.learning,
            betas=(0.9, 0.99),
            weight_decay=preset.weight_decay,
            capturable=network.output.weight.device.type == "cuda",
        )
        self.tables: RowAdagrad | None = None

    def keep_rows(self, kept: NDArray[np.uint8]) -> None:
        """Gives the network's contexts the rows that a bitmap (2^bits / 8 bytes) names, as zeros.

        Their Adagrad starts again, too.
        """
        contexts = self.network.contexts
        assert contexts is not None
        device = self.network.output.weight.device
        contexts.keep(kept)
        contexts.to(device)
        if device.type == "cuda":
            contexts.find = TensorContexts(contexts).slots
        self.tables = RowAdagrad(contexts)

    def update(self, rate: float | Tensor, table_rate: float | Tensor | None) -> Tensor:
        """Takes one step against the gradients; returns their norm before clipping.

        The contexts' rows are left as they are where `table_rate` is None.
        """
        for group in self.adam.param_groups:
            group["lr"] = rate
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.adam.step()
        if self.tables is not None and table_rate is not None:
            self.tables.step(table_rate)
        return norm

    def make_moments(self) -> None:
        """Makes AdamW create its moments, which exist only after a step, by taking a step.

        The step changes the weights (weight decay), so the caller must load them afterwards.
        """
        for parameter in self.learning:
            parameter.grad = torch.zeros_like(parameter)
        self.adam.step()

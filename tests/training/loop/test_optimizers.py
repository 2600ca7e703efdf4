"""The optimisers change parameters and the contexts' rows, or the parameters alone."""

import numpy as np
import torch
from torch.nn import functional

from model.network.config import NetworkConfig
from model.network.contexts import pack_bits
from model.network.network import Network
from tests.training.small import SMALL
from training.loop.optimizers import Optimizers


def learning() -> tuple[Network, Optimizers]:
    """A network with contexts, after the gradients of one window."""
    torch.manual_seed(1)
    network = Network(
        NetworkConfig(
            SMALL.cell,
            SMALL.layers,
            SMALL.hidden,
            "abcdefgh",
            contexts=SMALL.contexts,
            context_width=SMALL.context_width,
            context_bits=SMALL.context_bits,
        )
    )
    optimizers = Optimizers(network, SMALL)
    optimizers.keep_rows(pack_bits(np.arange(1 << SMALL.context_bits), SMALL.context_bits))
    ids = torch.randint(0, 8, (6, 3))
    logits, _ = network(ids.t(), network.initial(3))
    functional.cross_entropy(logits.flatten(0, 1), ids.t().flatten()).backward()
    return network, optimizers


def test_an_update_moves_parameters_and_rows() -> None:
    network, optimizers = learning()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    norm = optimizers.update(1e-2, 1e-1)
    assert norm > 0
    assert all(not torch.equal(*pair) for pair in zip(before, network.parameters(), strict=True))
    assert network.contexts is not None
    assert network.contexts.rows.any()


def test_rows_stay_as_they_are_without_a_rate() -> None:
    network, optimizers = learning()
    optimizers.update(1e-2, None)
    assert network.contexts is not None
    assert not network.contexts.rows.any()

"""The reading order: it differs in each epoch, and is the same again from a saved place."""

import json
from dataclasses import replace

import numpy as np
import torch

from model.vocabulary import Vocabulary
from training.loop.reading import ReadingOrder
from training.loop.streams import EncodedDocuments
from training.presets import PRESETS

VOCABULARY = Vocabulary("\nabcdefgh")
PRESET = replace(PRESETS["tiny"], streams=2, window=8, restart=50)


def new_order(seed: int = 1) -> ReadingOrder:
    random = np.random.default_rng(0)
    documents = [random.integers(0, 9, 100).astype(np.int32) for _ in range(5)]
    return ReadingOrder(EncodedDocuments(documents), VOCABULARY, PRESET, seed)


def epoch(order: ReadingOrder) -> torch.Tensor:
    """The ids of the windows that are left in an epoch."""
    return torch.cat([window.ids for window in order.windows()])


def test_each_epoch_has_an_order_of_its_own() -> None:
    order = new_order()
    first, second = epoch(order), epoch(order)
    assert (order.epochs, order.completed, order.within_epoch) == (2, 2, False)
    assert first.shape != second.shape or not torch.equal(first, second)


def test_the_seed_decides_the_order() -> None:
    assert torch.equal(epoch(new_order()), epoch(new_order()))
    assert not torch.equal(epoch(new_order())[:40], epoch(new_order(seed=2))[:40])


def test_an_order_goes_on_within_an_epoch_and_into_the_next() -> None:
    order, later = new_order(), new_order()
    epoch(order)
    for _, window in zip(range(5), order.windows(), strict=False):
        assert len(window.ids) == PRESET.window
    order.plan(3)
    later.go_on(order.epochs, json.loads(json.dumps(order.to_json())))
    assert (later.epochs, later.completed, later.within_epoch) == (2, 1, True)
    assert later.planned_epochs == 3
    assert later.ids_in_epoch == order.ids_in_epoch
    for _ in range(2):
        assert torch.equal(epoch(later), epoch(order))


def test_no_part_of_an_epoch_is_planned_once_the_first_one_is_over() -> None:
    order = new_order()
    epoch(order)
    order.plan(2.4)
    assert order.planned_epochs == 2

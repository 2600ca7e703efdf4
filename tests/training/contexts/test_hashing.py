"""Hashes as tensor operations: the same rows and states as the specified ones."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.network.config import NetworkConfig
from model.network.contexts import pack_bits
from model.network.embedding import ContextEmbedding
from training.contexts.hashing import TensorContexts

CONFIG = NetworkConfig(
    "lstm",
    1,
    16,
    "ab_. \n9",
    contexts=("2", "3", "5", "16", "word", "words"),
    context_width=4,
    context_bits=18,
)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 70), min_size=1, max_size=4))
def test_rows_and_states_are_those_of_the_contexts(seed: int, windows: list[int]) -> None:
    rng = np.random.default_rng(seed)
    rows = np.unique(rng.integers(0, 1 << CONFIG.context_bits, 1 << 17))
    embedding = ContextEmbedding(CONFIG, pack_bits(rows, CONFIG.context_bits))
    found = TensorContexts(embedding)
    vocabulary = CONFIG.vocabulary()
    likely = [*vocabulary.encode(CONFIG.characters), vocabulary.start]
    expected_state = state = embedding.initial(3)
    for time in windows:
        ids = torch.from_numpy(rng.choice(likely, (time, 3)).astype(np.int64))
        expected, expected_state = embedding.find(ids, expected_state)
        slots, state = found.slots(ids, state)
        assert torch.equal(slots, expected)
        for part, expected_part in zip(state, expected_state, strict=True):
            assert torch.equal(part, expected_part)

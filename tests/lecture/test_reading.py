"""The lecture's reading list: sampling with a temperature, and samples during training."""

from collections import Counter
from io import StringIO
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from model.completing import complete
from model.decoding.sampling import Sampling, draw
from model.generating import generate
from model.served import Runtime
from training.corpus import Selection, read
from training.loop.options import RunOptions
from training.loop.schedule import Budget
from training.loop.train import train
from training.presets import PRESETS
from training.reporting.progress import Progress


def test_a_temperature_sharpens_or_flattens_the_distribution() -> None:
    probabilities = np.array([0.5, 0.3, 0.2], np.float32)
    for temperature in (0.5, 1.0, 2.0):
        random = np.random.default_rng(0)
        drawn = Counter(draw(probabilities, Sampling(temperature), random) for _ in range(20_000))
        expected = probabilities ** (1 / temperature)
        expected /= expected.sum()
        for index, share in enumerate(expected):
            assert drawn[index] / 20_000 == pytest.approx(share, abs=0.02)


def test_temperature_0_is_the_likeliest_character_every_time(runtime: Runtime) -> None:
    drawn = "".join(islice(generate(runtime, "a", Sampling(0), 1), 10))
    assert drawn == "".join(islice(generate(runtime, "a", Sampling(0), 2), 10))
    assert drawn[0] == complete(runtime, "a", top=1).next[0][0]


def test_samples_are_printed_as_training_goes_on(tmp_path: Path) -> None:
    text, said = tmp_path / "text", StringIO()
    text.write_text("a line of text\n" * 300)
    progress = Progress(Console(file=said, width=200))
    train(
        read([text], Selection()),
        tmp_path / "out",
        PRESETS["tiny"],
        Budget(steps=30),
        RunOptions(threads=1),
        progress,
    )
    # After each measurement there is a sample of what the network writes.
    reports = [n for n, line in enumerate(said.getvalue().splitlines()) if "validation" in line]
    assert len(reports) >= 2
    for number in reports:
        assert said.getvalue().splitlines()[number + 1].strip()

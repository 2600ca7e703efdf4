"""Single units along a text, and the features of the text that they are compared with."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from model import checkpoint as checkpoints
from model.checkpoint import load
from model.network.config import NetworkConfig
from model.network.network import Network
from tests.cli.command import Command
from tests.tiny import save_tiny_checkpoint
from training.units.activations import Unit, read
from training.units.features import FEATURES
from training.units.layout import rows
from training.units.search import correlations, find

TEXT = 'x = f(\'a b\', [1])  # don\'t\n    """it\'s\nhere"""\n'


@pytest.mark.parametrize(
    ("feature", "text", "expected"),
    [
        ("line-length", "ab\nc", [1, 2, 0, 1]),
        ("indentation", "  a b\n c", [1, 2, 2, 2, 2, 0, 1, 1]),
        ("quotes", "a 'b' c", [0, 0, 1, 1, 0, 0, 0]),
        ("quotes", "f'b' don't", [0, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
        ("quotes", r"'\''x", [1, 1, 1, 0, 0]),
        ("quotes", "'a\nb", [1, 1, 0, 0]),
        ("quotes", '"""a"\n"""b', [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]),
        ("quotes", "# it's 'so'", [0] * 11),
        ("brackets", "f(a[1])) '('", [0, 1, 1, 2, 2, 1, 0, 0, 0, 0, 0, 0]),
        ("comment", "a # b\nc", [0, 0, 1, 1, 1, 0, 0]),
        ("comment", "'#' #", [0, 0, 0, 0, 1]),
        ("word", "a_1 é.", [1, 1, 1, 0, 1, 0]),
        ("word-length", "ab c", [1, 2, 0, 1]),
    ],
)
def test_a_feature_is_computed_from_the_text(
    feature: str, text: str, expected: list[float]
) -> None:
    assert FEATURES[feature].values(text).tolist() == expected


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_has_a_number_after_each_character(name: str) -> None:
    for text in (TEXT, TEXT[:17], "'", '"""', "\\", "'\\"):
        assert FEATURES[name].values(text).shape == (len(text),)


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_activations_are_the_states_after_each_character(cell: str, tmp_path: Path) -> None:
    loaded = load(save_tiny_checkpoint(tmp_path / "tiny", cell, layers=2))
    # A character outside the vocabulary is spelt in two bytes, and read with the last of them.
    text = "aß b"
    short, longer = read(loaded, [text[:2], text])
    network = Network(loaded.config)
    network.load_weights(loaded.weights)
    ids = [loaded.vocabulary.start, *loaded.vocabulary.encode(text)]
    with torch.no_grad():
        hidden, _ = network.cells[0](torch.tensor([ids]), network.layers()[0].initial(1))
    expected = hidden[0, [1, 3, 4, 5]].numpy()
    np.testing.assert_allclose(longer.values[:, :32], expected, atol=1e-5)
    np.testing.assert_allclose(short.values, longer.values[:2], atol=1e-5)
    assert longer.values.shape == (4, 2 * 32 * (2 if cell == "lstm" else 1))
    assert longer.units[0] == Unit(0, "h", 0)
    assert str(longer.units[-1]) == ("1.c31" if cell == "lstm" else "1.h31")
    assert np.abs(longer.values).max() <= 1


def test_contexts_have_no_units(counter: Path, tmp_path: Path) -> None:
    plain = load(counter)
    shape = {"contexts": ["2", "word"], "context_width": 4, "context_bits": 16}
    config = NetworkConfig(**(plain.config.to_json() | shape))
    weights = plain.weights | {
        "contexts.kept": np.zeros(1 << 13, np.uint8),
        "contexts.rows": np.zeros((0, 2), np.uint8),
        "contexts.levels": np.zeros(16, np.int8),
        "output.weight": np.zeros((config.vocabulary().size, 24), np.float32),
    }
    checkpoints.save(tmp_path / "contexts", config, weights, {})
    (expected,), (found,) = read(plain, [WORDS]), read(load(tmp_path / "contexts"), [WORDS])
    assert found.units == expected.units
    np.testing.assert_array_equal(found.values, expected.values)


def test_a_correlation_is_pearsons() -> None:
    random = np.random.default_rng(0)
    activations = random.normal(size=(50, 3)).astype(np.float32)
    activations[:, 2] = 0.5
    features = np.stack([random.normal(size=50), np.ones(50), -activations[:, 0]])
    shares = correlations(activations, features.astype(np.float64))
    assert shares[0, 0] == pytest.approx(np.corrcoef(activations[:, 0], features[0])[0, 1])
    assert shares[2, 0] == pytest.approx(-1)
    assert not shares[1].any()
    assert not shares[:, 2].any()


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    """A network with a unit that is made to follow words, and another that follows line ends."""
    config = NetworkConfig("elman", 1, 16, "\n abc")
    random = np.random.default_rng(0)
    weights = {
        name: random.normal(0, 0.02, shape).astype(np.float32)
        for name, shape in checkpoints.expected_shapes(config).items()
    }
    # Unit 5 is +1 after a letter and −1 after anything else.
    weights["cells.0.U"][5, :5] = [-3, -3, 3, 3, 3]
    weights["cells.0.W"][5] = 0
    checkpoints.save(tmp_path / "counter", config, weights, {})
    return tmp_path / "counter"


WORDS = "ab c abc\nc cab  a\n" * 20


def test_the_unit_that_follows_words_is_found_and_judged_on_other_text(counter: Path) -> None:
    loaded = load(counter)
    (found,) = find(read(loaded, [WORDS]), [WORDS], [FEATURES["word"]])
    assert found.unit == Unit(0, "h", 5)
    assert found.chosen > 0.99
    assert found.held_out > 0.99
    assert find(read(loaded, [WORDS]), [WORDS], [FEATURES["quotes"]]) == []


def test_units_are_shown_along_a_text_and_as_a_picture(
    command: Command, counter: Path, tmp_path: Path
) -> None:
    text, picture, kept = tmp_path / "text", tmp_path / "new/units.png", tmp_path / "figures.json"
    text.write_text(WORDS)
    arguments = ("units", counter, text, "--feature", "word", "--show", 30)
    outcome = command(*arguments, "--picture", picture, "--json", kept)
    assert (outcome.status, outcome.err) == (0, "")
    assert "0.h5: inside a word" in outcome.out
    assert "ab c abc↵\nc cab  a↵\n" in outcome.out
    assert picture.read_bytes().startswith(b"\x89PNG")
    (row,) = json.loads(kept.read_text("utf-8"))["units"]
    assert (row["feature"], row["part"], row["unit"]) == ("word", "h", 5)


def test_a_single_unit_is_viewed_along_a_text(
    command: Command, counter: Path, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("ab c\n")
    outcome = command("units", counter, tmp_path / "text", "--unit", "0.h5", "--json", "-")
    figures = json.loads(outcome.out)
    assert figures["text"] == "ab c\n"
    assert np.sign(figures["activations"]).tolist() == [1, 1, -1, 1, -1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--unit", "0.h16"),
        ("--unit", "0.c1"),
        ("--unit", "five"),
        ("--feature", "rhyme"),
        ("--picture", "units.gif"),
    ],
)
def test_a_mistake_in_asking_for_units_is_one_line_and_status_2(
    command: Command, counter: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "text").write_text(WORDS)
    outcome = command("units", counter, tmp_path / "text", *arguments)
    assert (outcome.status, outcome.out, len(outcome.err.splitlines())) == (2, "", 1)


def test_rows_keep_every_character_and_its_place() -> None:
    laid_out = rows("ab\tcde\n\nf\x00", 4)
    assert ["".join(c for _, c in row) for row in laid_out] == ["ab", "    ", "cde↵", "↵", "f·"]
    assert [position for row in laid_out for position, _ in row][-1] == 9

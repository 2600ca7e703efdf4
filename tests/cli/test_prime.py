"""The verb prime: it changes the checkpoint in place, can be repeated, and reports."""

import json
import random
from pathlib import Path

import pytest

from model.checkpoint import load
from tests.cli.command import Command


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Texts in which a few names are repeated; each text has its own names."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(12):
        chance = random.Random(number)
        names = ["".join(chance.choices("abcdefgh", k=7)) for _ in range(6)]
        lines = (f"{chance.choice(names)}({chance.choice(names)})\n" for _ in range(60))
        (folder / f"{number}.txt").write_text("".join(lines))
    return folder


def test_a_checkpoint_is_primed_in_place_and_can_be_primed_again(
    command: Command, own: Path, texts: Path
) -> None:
    before = load(own)
    (texts / "other.md").write_text("left out " * 1000)
    said = json.loads(command("prime", own, texts, "--include", "*.txt", "--json", "-").out)
    after = load(own)
    assert said["fingerprint"] == after.fingerprint != before.fingerprint
    assert after.training["adaptation"]["ids"] == said["ids"] > 5000
    assert said["adapted_bits"] < said["network_bits"] - 1
    for name, array in before.weights.items():
        assert (after.weights[name] == array).all()
    # The earlier parameters are replaced.
    outcome = command("prime", own, texts, "--skip", "*.md")
    assert outcome.status == 0
    assert f"{own}: {said['network_bits']:.3f} bits an id by the network" in outcome.out
    assert load(own).fingerprint == after.fingerprint


def test_no_more_documents_are_read_than_asked_for(
    command: Command, own: Path, texts: Path
) -> None:
    few = json.loads(command("prime", own, texts, "--documents", 2, "--json", "-").out)
    assert 0 < few["ids"] < 3000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("{T}/own {T}/absent", "absent: no such file or folder"),
        ("{T}/missing {T}/texts", "missing: no such checkpoint folder"),
        ("{T}/own {T}/texts --documents 0", "--documents"),
        ("{T}/own {T}/texts --json {T}", "cannot be written"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    command: Command, own: Path, texts: Path, tmp_path: Path, arguments: str, says: str
) -> None:
    before = load(own).fingerprint
    outcome = command("prime", *arguments.format(T=tmp_path).split())
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert says in outcome.err
    assert load(own).fingerprint == before

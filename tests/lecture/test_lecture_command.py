"""`nextchar lecture`: the five shapes and "hello" from the command line."""

import json
from pathlib import Path

import pytest

from model.completing import complete
from model.served import Runtime
from tests.cli.command import Command
from training.lecture import hello


def test_every_shape_is_shown_on_any_checkpoint_and_text(
    command: Command, checkpoint: Path, runtime: Runtime, tmp_path: Path
) -> None:
    kept = tmp_path / "figures.json"
    outcome = command("lecture", "all", "some text", "--checkpoint", checkpoint, "--json", kept)
    assert (outcome.status, outcome.err) == (0, "")
    shapes = ("one to one", "one to many", "many to one", "read then write", "in step")
    assert [outcome.out.count(f"\n{shape}: ") for shape in shapes] == [1] * 5
    figures = json.loads(kept.read_text("utf-8"))
    assert set(figures) == {"model", *(shape.replace(" ", "-") for shape in shapes)}
    assert figures["many-to-one"]["next"][0] == list(complete(runtime, "some text", top=1).next[0])


@pytest.mark.parametrize(
    "shape", ["one-to-one", "one-to-many", "many-to-one", "read-then-write", "in-step"]
)
def test_one_shape_is_shown_with_its_unrolled_graph(
    command: Command, checkpoint: Path, tmp_path: Path, shape: str
) -> None:
    (tmp_path / "text").write_text("é\nand more of it")
    outcome = command("lecture", shape, "--file", tmp_path / "text", "--checkpoint", checkpoint)
    assert outcome.status == 0
    assert "─W→" in outcome.out
    assert "y = softmax(V h)" in outcome.out


def test_figures_alone_on_standard_output(command: Command, checkpoint: Path) -> None:
    outcome = command("lecture", "in-step", "ab", "--checkpoint", checkpoint, "--json", "-")
    assert len(json.loads(outcome.out)["in-step"]["bits"]) == 2


def test_hello_is_learnt_drawn_and_kept(command: Command, tmp_path: Path) -> None:
    outcome = command("lecture", "hello", "--out", tmp_path / "hello")
    assert outcome.status == 0
    assert "hello" in outcome.out
    assert (tmp_path / "hello" / hello.PICTURE).is_file()
    drawn = command(
        "generate", "h", "--checkpoint", tmp_path / "hello", "--length", 4, "--temperature", 0
    )
    assert drawn.out == "hello\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("in-step", "text"),
        ("sideways", "text", "--checkpoint", "{}"),
        ("in-step", "", "--checkpoint", "{}"),
        ("in-step", "text", "--file", "text", "--checkpoint", "{}"),
        ("in-step", "text", "--out", "folder", "--checkpoint", "{}"),
        ("hello", "text"),
        ("hello", "--checkpoint", "{}"),
        ("in-step", "text", "--checkpoint", "nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    command: Command, checkpoint: Path, arguments: tuple[str, ...]
) -> None:
    outcome = command("lecture", *(word.format(checkpoint) for word in arguments))
    assert (outcome.status, outcome.out, len(outcome.err.splitlines())) == (2, "", 1)

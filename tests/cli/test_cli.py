"""nextchar.cli: help, version, mistakes, interruption."""

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from nextchar.cli import VERBS
from tests.cli.command import Command, Start


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_help_has_an_example(command: Command, verb: str | None) -> None:
    outcome = command(*([verb] if verb else []), "--help")
    assert outcome.status == 0
    assert "Example: nextchar" in outcome.out.replace("│", "") or "| nextchar" in outcome.out
    assert outcome.err == ""


def test_without_a_verb_the_help_is_shown(command: Command) -> None:
    outcome = command()
    assert outcome.status == 0
    assert "evaluate" in outcome.out


def test_version(command: Command) -> None:
    assert command("--version").out == f"nextchar {version('nextchar')}\n"


@pytest.fixture
def damaged(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint with one byte of its weights changed."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    for file in checkpoint.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    return folder


@pytest.fixture
def places(checkpoint: Path, damaged: Path, tmp_path: Path) -> dict[str, str]:
    """The values of the names in braces below."""
    (tmp_path / "latin.txt").write_bytes("naïve".encode("latin-1"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("some text")
    return {"C": str(checkpoint), "D": str(damaged), "T": str(tmp_path)}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("complete --checkpoint {T}/absent", "absent: no such checkpoint folder"),
        ("complete --checkpoint {T}/empty", "config.json: No such file"),
        ("complete --checkpoint {D}", "model.safetensors: damaged"),
        ("complete", "Missing option '--checkpoint'"),
        ("complete --checkpoint {C} --max-chars many", "Invalid value for '--max-chars'"),
        ("complete --checkpoint {C} --max-chars -1", "max_chars: -1"),
        ("complete --checkpoint {C} --min-confidence 1.5", "min_confidence"),
        ("complete --checkpoint {C} --min-confidence nan", "min_confidence"),
        ("complete --checkpoint {C} --top -1", "--top"),
        ("complete --checkpoint {C} --suffix-file {T}/absent", "absent: No such file"),
        ("complete --checkpoint {C} --suffix-file {T}", "Is a directory"),
        ("complete --checkpoint {C} --suffix-file {T}/latin.txt", "byte 0xef at offset 2"),
        ("evaluate {C} {T}/absent", "absent: no such file or folder"),
        ("evaluate {C} {T}/latin.txt", "latin.txt: not UTF-8: byte 0xef at offset 2"),
        ("evaluate {C} {T}/empty", "no text found"),
        ("evaluate {C} {T}/text.txt --max-characters 0", "--max-characters"),
        ("evaluate {C} {T}/text.txt --json {T}/no/where.json", "where.json cannot be written"),
        ("evaluate {C} {T}/text.txt --json {T}", "cannot be written"),
        ("evaluate {C}", "Missing argument 'TEXT'"),
        ("generate --checkpoint {C} --temperature -1", "temperature: -1.0"),
        ("generate --checkpoint {C} --top-p 0", "top_p: 0.0"),
        ("generate --checkpoint {C} --top-k -2", "top_k: -2"),
        ("generate --checkpoint {C} --length 0", "--length"),
        ("score --checkpoint {C}", "no text to score"),
        ("score --checkpoint {C} {T}/latin.txt", "byte 0xef at offset 2"),
        ("next --checkpoint {C} --top 0", "--top"),
        ("serve --checkpoint {T}/absent", "absent: no such checkpoint folder"),
        ("serve --checkpoint {C} --port 70000", "NEXTCHAR_PORT: 70000"),
        ("serve --checkpoint {C} --store postgres://x", "NEXTCHAR_STORE"),
        ("serve --checkpoint {C} --workers 2", "NEXTCHAR_STORE"),
        ("train {T}/absent --out {T}/o --steps 1", "absent: no such file or folder"),
        ("train {T}/text.txt --out {T}/o --steps 1", "8 characters to train on"),
        ("train {T}/text.txt --out {T}/o --minutes 0", "--minutes: 0.0 is not above 0"),
        ("train {T}/text.txt --out {T}/o --device tpu", "--device: 'tpu' is neither cpu nor cuda"),
        ("train {T}/text.txt --out {T}/o --device cuda", "--device: torch finds no GPU here"),
        ("train {T}/text.txt --out {T}/o --minutes nan", "--minutes: nan"),
        ("train {T}/text.txt --out {T}/text.txt --steps 1", "--out"),
        ("train {T}/text.txt --out {T}/o --preset huge", "'huge' is none of default, wide"),
        ("train {T}/text.txt", "Missing option '--out'"),
        ("invent", "No such command 'invent'"),
        ("lecture foo", "'[VARIANT]': 'foo' is not one of"),
        ("complete --checkpiont {C}", "No such option: --checkpiont"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    command: Command, places: dict[str, str], arguments: str, says: str
) -> None:
    outcome = command(*(part.format(**places) for part in arguments.split()))
    assert says in outcome.err
    assert outcome.err.startswith("nextchar: ")
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    assert outcome.status == 2


def test_standard_input_that_is_not_utf8_names_the_offset(
    command: Command, checkpoint: Path
) -> None:
    outcome = command("complete", "--checkpoint", checkpoint, stdin=b"ab\xffc")
    assert outcome.status == 2
    assert "standard input: not UTF-8: byte 0xff at offset 2" in outcome.err


def test_a_bad_variable_is_one_line_and_status_2(start: Start, checkpoint: Path) -> None:
    process = start("serve", "--checkpoint", checkpoint, NEXTCHAR_PORT="eighty")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, b"")
    assert err.count(b"\n") == 1
    assert b"NEXTCHAR_PORT" in err


def test_ctrl_c_is_one_line_and_status_130(start: Start, checkpoint: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "suffix"
    os.mkfifo(pipe)
    process = start("complete", "--checkpoint", checkpoint, "--suffix-file", pipe)
    # `open` returns once the command has opened the other end: then it waits to read.
    with pipe.open("wb"):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"nextchar: interrupted\n")


def test_a_reader_that_leaves_is_no_error(start: Start, checkpoint: Path) -> None:
    process = start("generate", "--checkpoint", checkpoint, "--length", 1_000_000)
    assert process.stdout is not None
    assert process.stdout.read(3)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 1


def test_help_and_small_verbs_load_no_torch(root: Path) -> None:
    program = (
        "import sys, nextchar.cli\n"
        "heavy = {'torch', 'fastapi', 'numpy', 'pydantic', 'matplotlib'} & set(sys.modules)\n"
        "import model.completing, model.served, model.decoding.sampling\n"
        "import training.evaluation.evaluation\n"
        "print(sorted(heavy), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[] False\n"


def test_a_full_disk_is_one_line(root: Path, checkpoint: Path) -> None:
    with open("/dev/full", "wb") as full:
        outcome = subprocess.run(
            [sys.executable, "-m", "nextchar", "complete", "--checkpoint", str(checkpoint)],
            cwd=root,
            input=b"a",
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert outcome.returncode == 1
    assert outcome.stderr.decode().splitlines() == ["nextchar: output: No space left on device"]

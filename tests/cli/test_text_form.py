"""Files with carriage returns or a byte order mark give the figures of their plain text."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint import load
from tests.cli.command import Command

PLAIN = 'def é(x):\n    return x\n\n\nclass A:\n    """€"""\n' * 8
FORMS = {
    "pairs": PLAIN.replace("\n", "\r\n"),
    "returns": PLAIN.replace("\n", "\r"),
    "marked": "\ufeff" + PLAIN,
    "mixed": "\ufeff" + PLAIN[:60].replace("\n", "\r\n") + PLAIN[60:],
}


def written(folder: Path, name: str, text: str) -> Path:
    """The text as a file of the same name in a folder of its own."""
    (folder / name).mkdir()
    file = folder / name / "text.txt"
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("verb", ["score", "evaluate"])
def test_a_file_has_the_bits_of_its_plain_text(
    command: Command, checkpoint: Path, tmp_path: Path, verb: str, form: str
) -> None:
    def figures(name: str, text: str) -> dict[str, object]:
        file = written(tmp_path, name, text)
        arguments = {
            "score": ("score", "--checkpoint", checkpoint, file, "--each"),
            "evaluate": ("evaluate", checkpoint, file, "--min-confidence", 0),
        }[verb]
        outcome = command(*arguments, "--json", "-")
        assert outcome.status == 0
        found: dict[str, object] = json.loads(outcome.out.replace(str(file), "text"))
        found.pop("milliseconds_per_suggestion", None)
        return found

    plain = figures("plain", PLAIN)
    assert figures(form, FORMS[form]) == plain
    assert plain["characters"] == len(PLAIN)


@pytest.mark.parametrize("form", FORMS)
def test_training_on_a_file_makes_the_network_of_its_plain_text(
    command: Command, tmp_path: Path, form: str
) -> None:
    def trained(name: str, text: str) -> tuple[str, bytes]:
        file, out = written(tmp_path, name, text), tmp_path / f"{name}-network"
        outcome = command(
            "train", file, "--out", out, "--preset", "tiny", "--steps", 2, "--threads", 1,
            "--validation", file, "--minimum-count", 1,
        )  # fmt: skip
        assert outcome.status == 0
        made = load(out)
        weights = [made.weights[name] for name in sorted(made.weights)]
        return made.config.characters, b"".join(map(np.ndarray.tobytes, weights))

    plain, found = trained("plain", PLAIN), trained(form, FORMS[form])
    assert found == plain
    assert "\r" not in found[0]


def test_complete_answers_on_standard_output_in_the_form_of_standard_input(
    command: Command, root: Path
) -> None:
    checkpoint = root / "checkpoints" / "python"
    head = "class A:\r\n    def __init__(self, name):"
    body = "\r\n        self.name = name\r\n\r\n\r\n"
    text = "\ufeff" + (head + body) * 3 + head
    arguments = (
        "complete", "--checkpoint", checkpoint, "--max-lines", 4, "--max-chars", 99, "--top", 2,
    )  # fmt: skip
    said = json.loads(command(*arguments, stdin=text).out)
    plain = json.loads(command(*arguments, stdin=text[1:].replace("\r\n", "\n")).out)
    assert said["length"] == len(text)
    assert "\n" in plain["completion"]
    assert said["completion"] == plain["completion"].replace("\n", "\r\n")
    assert said["confidence"] == plain["confidence"]
    assert [c["probability"] for c in said["chars"]] == [c["probability"] for c in plain["chars"]]


def test_generate_goes_on_with_the_line_ends_of_its_text(command: Command, root: Path) -> None:
    arguments = ("--checkpoint", root / "checkpoints" / "python", "--seed", 3, "--length", 120)
    plain = command("generate", "import os\nimport ", *arguments).out
    found = command("generate", "import os\r\nimport ", *arguments).out
    assert plain[:-1].count("\n") > 2
    assert found[:-1] == plain[:-1].replace("\n", "\r\n")

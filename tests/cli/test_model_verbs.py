"""complete, next, score and generate, each against the model called directly."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint import load
from model.completing import complete
from model.decoding.options import Options
from model.served import Runtime
from service.http.schema import CompleteResponse
from tests.cli.command import Command, Start

PREFIX = "def é(x):\r\n    return €"
OPTIONS = ("--max-chars", 9, "--min-confidence", 0.01)


@pytest.fixture(scope="module")
def runtime(checkpoint: Path) -> Runtime:
    return Runtime(load(checkpoint))


def test_complete_is_the_models_answer_to_exactly_the_bytes_given(
    command: Command, checkpoint: Path, runtime: Runtime
) -> None:
    outcome = command("complete", "--checkpoint", checkpoint, *OPTIONS, "--top", 3, stdin=PREFIX)
    assert (outcome.status, outcome.err) == (0, "")
    said = json.loads(outcome.out)
    answer = complete(runtime, PREFIX, Options(max_chars=9, min_confidence=0.01), 3)
    assert answer.completion.text
    assert said == {
        "length": len(PREFIX),
        "completion": answer.completion.text,
        "confidence": answer.completion.confidence,
        "chars": [
            {"text": char.text, "probability": char.probability} for char in answer.completion.chars
        ],
        "alternatives": [],
        "next": [{"character": c, "probability": p} for c, p in answer.next],
        "finish_reason": answer.completion.finish_reason,
        "model": "tiny",
    }
    assert len(said["next"]) == 3


def test_complete_has_the_services_form(command: Command, checkpoint: Path) -> None:
    said = json.loads(command("complete", "--checkpoint", checkpoint, "--top", 1, stdin="a").out)
    usage = {"characters_absorbed": 1, "steps_computed": 1, "steps_reused": 0}
    whole = said | {"session": "s", "version": 1, "usage": usage, "degraded": False}
    assert CompleteResponse.model_validate_json(json.dumps(whole)).length == 1
    assert said.keys() == CompleteResponse.model_fields.keys() - {
        "session", "version", "usage", "degraded",
    }  # fmt: skip


def test_complete_without_options_decodes_as_the_service_does(
    command: Command, checkpoint: Path, runtime: Runtime
) -> None:
    said = json.loads(command("complete", "--checkpoint", checkpoint, stdin="abc").out)
    assert said["completion"] == complete(runtime, "abc", Options(), 0).completion.text
    assert said["next"] == []


def test_complete_stops_before_the_text_after_the_cursor_and_at_stop_strings(
    command: Command, checkpoint: Path, runtime: Runtime, tmp_path: Path
) -> None:
    base = ("complete", "--checkpoint", checkpoint, *OPTIONS)
    plain = json.loads(command(*base, stdin=PREFIX).out)["completion"]
    suffix = tmp_path / "suffix"
    suffix.write_bytes(plain.encode() + b"\r\n")
    with_suffix = json.loads(command(*base, "--suffix-file", suffix, stdin=PREFIX).out)
    options = Options(max_chars=9, min_confidence=0.01, suffix=plain + "\r\n")
    direct = complete(runtime, PREFIX, options, 0).completion
    assert with_suffix["completion"] == direct.text
    assert with_suffix["finish_reason"] == direct.finish_reason
    stopped = json.loads(command(*base, "--stop", plain[1:3], "--stop", "zzz", stdin=PREFIX).out)
    assert stopped["finish_reason"] == "stop"
    assert stopped["completion"] == plain[:1]


def test_complete_shows_what_its_options_ask_for(
    command: Command, checkpoint: Path, runtime: Runtime
) -> None:
    base = ("complete", "--checkpoint", checkpoint, *OPTIONS)
    ways = {
        ("--n", 4, "--manual"): Options(9, 0.01, n=4, trigger="manual"),
        ("--max-lines", 3): Options(9, 0.01, max_lines=3),
        ("--temperature", 0.9, "--seed", 5, "--top-k", 9, "--top-p", 0.9, "--min-p", 0.01): Options(
            9, 0.01, temperature=0.9, seed=5, top_k=9, top_p=0.9, min_p=0.01
        ),
    }
    for given, options in ways.items():
        said = json.loads(command(*base, *given, stdin=PREFIX).out)
        answer = complete(runtime, PREFIX, options)
        assert said["completion"] == answer.completion.text
        assert said["alternatives"] == [
            {"completion": other.text, "confidence": other.confidence}
            for other in answer.alternatives
        ]
        assert bool(answer.alternatives) == (options.n > 1)


def test_a_process_of_its_own_gives_the_same_bytes(
    command: Command, start: Start, checkpoint: Path
) -> None:
    arguments = ("complete", "--checkpoint", checkpoint, *OPTIONS, "--top", 5)
    # A locale without UTF-8 changes neither what is read nor what is written.
    process = start(*arguments, LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    out, err = process.communicate(PREFIX.encode(), timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert out.decode() == command(*arguments, stdin=PREFIX).out


def test_next_lists_the_likeliest_characters(
    command: Command, checkpoint: Path, runtime: Runtime
) -> None:
    outcome = command("next", "--checkpoint", checkpoint, "--top", 4, "--json", "-", stdin="h")
    rows = json.loads(outcome.out)["next"]
    expected = complete(runtime, "h", Options(), 4).next
    assert [(row["character"], row["probability"]) for row in rows] == [tuple(e) for e in expected]
    assert len(rows) == 4
    assert [row["probability"] for row in rows] == sorted(
        (row["probability"] for row in rows), reverse=True
    )
    table = command("next", "--checkpoint", checkpoint, "--top", 4, stdin="h").out
    assert all(repr(row["character"]) in table for row in rows)


def test_score_is_the_sum_of_each_characters_surprise(
    command: Command, checkpoint: Path, tmp_path: Path
) -> None:
    said = json.loads(
        command("score", "--checkpoint", checkpoint, "--each", "--json", "-", stdin="hé€\n").out
    )
    assert [row["character"] for row in said["each"]] == ["h", "é", "€", "\n"]
    bits = sum(row["bits"] for row in said["each"])
    assert said["bits"] == pytest.approx(bits)
    assert said["bits_per_character"] == pytest.approx(bits / 4)
    assert said["log_probability"] == pytest.approx(-bits * math.log(2))
    assert said["perplexity"] == pytest.approx(2 ** (bits / 4))
    text, figures = tmp_path / "text", tmp_path / "figures.json"
    text.write_bytes("hé€\n".encode())
    shown = command("score", "--checkpoint", checkpoint, text, "--each", "--json", figures).out
    assert json.loads(figures.read_text("utf-8")) == said
    assert "perplexity" in shown
    assert "'€'" in shown


def test_the_first_characters_surprise_is_its_place_in_the_first_distribution(
    command: Command, checkpoint: Path
) -> None:
    first = json.loads(command("next", "--checkpoint", checkpoint, "--json", "-").out)["next"][0]
    arguments = ("score", "--checkpoint", checkpoint, "--json", "-")
    bits = json.loads(command(*arguments, stdin=first["character"]).out)["bits"]
    assert 2**-bits == pytest.approx(first["probability"])


def test_generate_repeats_itself_with_a_seed_only(command: Command, checkpoint: Path) -> None:
    arguments = ("generate", "--checkpoint", checkpoint, "--length", 60, "--temperature", 1)
    once, again = (command(*arguments, "--seed", 7).out for _ in range(2))
    assert once == again
    assert len(once) == 61
    assert once.endswith("\n")
    assert command(*arguments, "--seed", 8).out != once
    assert command(*arguments).out != command(*arguments).out


def test_generate_goes_on_from_a_text(command: Command, checkpoint: Path) -> None:
    outcome = command("generate", "hé€", "--checkpoint", checkpoint, "--length", 5)
    assert outcome.out.startswith("hé€")
    assert len(outcome.out) == 3 + 5 + 1


@pytest.mark.parametrize("greedy", [("--temperature", 0), ("--top-k", 1), ("--top-p", 1e-9)])
def test_generate_without_chance_is_greedy_decoding(
    command: Command, checkpoint: Path, runtime: Runtime, greedy: tuple[str, float]
) -> None:
    arguments = ("generate", "h", "--checkpoint", checkpoint, "--length", 1)
    outcome = command(*arguments, *greedy)
    assert outcome.out == "h" + complete(runtime, "h", Options(), 1).next[0][0] + "\n"


def test_figures_replace_an_older_file_whole(
    command: Command, checkpoint: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text("older " * 1000)
    command("next", "--checkpoint", checkpoint, "--json", figures, stdin="h")
    assert json.loads(figures.read_text("utf-8"))["model"] == "tiny"
    assert [file.name for file in tmp_path.iterdir()] == ["figures.json"]


def test_the_wild_text_of_an_untrained_network_is_always_utf8(
    command: Command, checkpoint: Path
) -> None:
    arguments = ("generate", "--checkpoint", checkpoint, "--length", 300, "--temperature", 9)
    text = command(*arguments, "--seed", 3).out
    assert len(text) == 301
    assert any(ord(character) > 0x7F for character in text)
    assert np.all([not 0xD800 <= ord(character) <= 0xDFFF for character in text])

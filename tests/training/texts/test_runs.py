"""The shell scripts that train the shipped checkpoints."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.training.texts.made import Archive, code, prose
from training.texts.recipe import Recipe


def run(root: Path, texts: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [root / "training/runs" / words[0], *words[1:]],
        cwd=texts.parent,
        env={**os.environ, "TEXTS": str(texts)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def texts(tmp_path: Path, archive: Archive, corpora: Path, library: Path) -> Path:
    documents = {f"docs/{i}.rst": prose(i) for i in range(5)}
    sources = (
        archive("web", {**{f"web/{i}.py": code(i) for i in range(9)}, **documents}, prose=["docs"]),
        archive("shop", {f"shop/{i}.py": code(100 + i) for i in range(40)}, role="validation"),
    )
    out = tmp_path / "texts"
    recipe = Recipe(out, sources, tmp_path / "archives", prose=corpora, library=library)
    recipe.make_python()
    recipe.make_prose()
    return out


def test_the_files_to_measure_on_are_listed(root: Path, texts: Path) -> None:
    packages = run(root, texts, "python.sh", "packages").stdout.splitlines()
    assert packages
    assert all(p.startswith(f"{texts}/packages/validation/shop/") for p in packages)
    documents = run(root, texts, "prose.sh", "validation").stdout.splitlines()
    assert [Path(p).parent.name for p in documents] == [
        "nodejs.org",
        "peps",
        "prometheus-docs",
        "rust-book",
    ]


def test_the_library_s_held_out_files_are_listed_without_the_texts(
    root: Path, tmp_path: Path
) -> None:
    listed = run(root, tmp_path / "none", "python.sh", "validation").stdout.splitlines()
    assert len(listed) > 5
    assert all(Path(file).is_file() for file in listed)


@pytest.mark.parametrize("script", ["python.sh", "prose.sh"])
def test_a_checkpoint_s_card_says_what_it_learnt_from(root: Path, texts: Path, script: str) -> None:
    done = run(
        root,
        texts,
        script,
        "train",
        "--out",
        "ck",
        "--steps",
        "2",
        "--preset",
        "tiny",
        "--threads",
        "1",
    )
    assert done.returncode == 0, done.stderr
    card = (texts.parent / "ck/README.md").read_text(encoding="utf-8")
    assert {"python.sh": "web 1.0 (MIT, ", "prose.sh": "peps (public domain OR CC0-1.0, "}[
        script
    ] in card


@pytest.mark.parametrize(
    "words", [("python.sh", "train"), ("python.sh", "packages"), ("prose.sh", "train")]
)
def test_missing_texts_are_named(root: Path, tmp_path: Path, words: tuple[str, str]) -> None:
    done = run(root, tmp_path / "none", *words)
    assert done.returncode == 2
    assert "none/" in done.stderr
    assert "nextchar texts" in done.stderr

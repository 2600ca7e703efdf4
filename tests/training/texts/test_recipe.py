import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.texts.made import Archive, code, prose
from training.corpus import Selection, read
from training.errors import CorpusError
from training.texts.manifest import describe
from training.texts.recipe import Recipe
from training.texts.sources import Source


def tree(folder: Path) -> dict[str, str]:
    return {
        f.relative_to(folder).as_posix(): f.read_text()
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    }


@pytest.fixture
def sources(archive: Archive) -> tuple[Source, ...]:
    modules = {f"web/{i}.py": code(i) for i in range(10)}
    documents = {f"docs/{i}.rst": prose(i) for i in range(5)}
    held_out = {f"shop/{i}.py": code(100 + i) for i in range(60)}
    return (
        archive("web", {**modules, **documents}, prose=("docs",)),
        archive(
            "tool",
            {
                "tool/own.py": code(50),
                "tool/copy.py": code(3),
                "tool/shop.py": code(101),
                "tool/library.py": code(1000),
                "tool/tests/test_own.py": code(51),
                "tool/_vendor/other.py": code(52),
                "tool/click/core.py": code(53),
                "tool/data.bin": "x" * 500,
                "elsewhere/own.py": code(54),
            },
        ),
        archive("shop", held_out, role="validation"),
    )


@pytest.fixture
def recipe(tmp_path: Path, sources: tuple[Source, ...], corpora: Path, library: Path) -> Recipe:
    return Recipe(tmp_path / "out", sources, tmp_path / "archives", prose=corpora, library=library)


def test_code_is_chosen_and_rid_of_repetitions(recipe: Recipe) -> None:
    recipe.make_python()
    train = tree(recipe.out / "python/train")
    assert train["web/web/3.py"] == code(3)
    assert [p for p in train if p.startswith("tool/")] == ["tool/tool/own.py"]


def test_the_library_is_split_as_the_corpus_is(recipe: Recipe, library: Path) -> None:
    recipe.make_python()
    split = read([library], Selection(("*.py",)))
    train, validation = (tree(recipe.out / "python" / s) for s in ("train", "validation"))
    assert {p for p in train if p.startswith("cpython/")} == {
        f"cpython/{d.path}" for d in split.train
    }
    assert set(validation) == {f"cpython/{d.path}" for d in split.validation}


def test_nothing_that_is_held_out_is_trained_on(recipe: Recipe) -> None:
    recipe.make_python()
    train = set(tree(recipe.out / "python/train").values())
    packages = tree(recipe.out / "packages/validation")
    assert 1 <= len(packages) <= 8
    assert not train & {code(100 + i) for i in range(60)}
    assert not train & set(tree(recipe.out / "python/validation").values())


def test_what_adaptation_is_primed_on_is_new_and_lies_by_itself(
    recipe: Recipe, archive: Archive
) -> None:
    files = {f"extra/{i}.py": code(i) for i in (300, *range(1000, 1040))}
    extra = archive("extra", files, role="priming")
    replace(recipe, sources=(*recipe.sources, extra)).make_python()
    assert tree(recipe.out / "python/priming") == {"extra/extra/300.py": code(300)}
    assert not (recipe.out / "python/train/extra").exists()
    assert "extra" not in describe(recipe.out, "python")


def test_prose_is_the_corpora_and_the_sources_documentation(recipe: Recipe) -> None:
    recipe.make_prose()
    train = tree(recipe.out / "prose/train")
    assert train["peps/peps.md"] == prose(2003)
    assert train["web/docs/2.rst"] == prose(2)
    assert any(p.startswith("cpython/") for p in train)
    assert not set(train.values()) & set(tree(recipe.out / "prose/validation").values())


def test_the_same_inputs_give_the_same_files(recipe: Recipe) -> None:
    recipe.make_python()
    recipe.make_prose()
    first = tree(recipe.out)
    recipe.make_prose()
    recipe.make_python()
    assert tree(recipe.out) == first


def test_a_source_that_left_the_list_leaves_the_corpus(recipe: Recipe, tmp_path: Path) -> None:
    recipe.make_python()
    Recipe(recipe.out, recipe.sources[1:], recipe.archives, library=recipe.library).make_python()
    assert not (recipe.out / "python/train/web").exists()
    assert "web" not in describe(recipe.out, "python")


def test_of_a_large_source_a_part_is_taken(recipe: Recipe, archive: Archive) -> None:
    large = archive("large", {f"large/{i}.py": code(200 + i) for i in range(30)}, most=5_000)
    Recipe(recipe.out, (large,), recipe.archives, library=recipe.library).make_python()
    taken = tree(recipe.out / "python/train/large")
    assert 3_000 < sum(map(len, taken.values())) <= 5_000
    assert list(taken) != [f"large/{i}.py" for i in range(len(taken))]


def test_a_share_is_a_random_part_of_the_sources_and_all_of_the_library(recipe: Recipe) -> None:
    recipe.make_python()
    whole = tree(recipe.out / "python/train")
    half = replace(recipe, out=recipe.out.with_name("half"), share=0.5)
    half.make_python()
    part = tree(half.out / "python/train")
    assert part.items() <= whole.items()
    assert 2 <= sum(p.startswith("web/") for p in part) <= 8
    assert {p for p in part if p.startswith("cpython/")} == {
        p for p in whole if p.startswith("cpython/")
    }
    assert tree(half.out / "packages") == tree(recipe.out / "packages")
    assert re.search(
        r"cpython [\d.]+ \(PSF-2\.0, 0\.0 M\); a random 50 % of the files of (web|tool) 1\.0 \(MIT",
        describe(half.out, "python"),
    )


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"licence": "Apache-2.0"}, "odd: LICENSE is not Apache-2.0"),
        ({"licence_file": "COPYING"}, "odd: it holds no COPYING"),
    ],
)
def test_another_licence_than_the_list_says_is_refused_and_the_old_texts_stay(
    recipe: Recipe, archive: Archive, fields: dict[str, str], error: str
) -> None:
    recipe.make_python()
    before = tree(recipe.out)
    odd = archive("odd", {"odd/a.py": code(70)}, **fields)
    with pytest.raises(CorpusError, match=error):
        Recipe(recipe.out, (odd,), recipe.archives, library=recipe.library).make_python()
    recipe.clear()
    assert tree(recipe.out) == before


@pytest.mark.parametrize(
    ("name", "version", "error"),
    [
        ("rich", "1.0", r"rich: version [\d.]+ is installed, not 1\.0"),
        ("no-such-package-here", "1.0", "not installed; pip install no-such-package-here==1.0"),
    ],
)
def test_an_installed_source_has_the_version_that_is_pinned(
    recipe: Recipe, name: str, version: str, error: str
) -> None:
    installed = Source(name=name, version=version, licence="MIT", holders="x", code=(name,))
    with pytest.raises(CorpusError, match=error):
        Recipe(recipe.out, (installed,), recipe.archives, library=recipe.library).make_python()


def test_the_manifest_counts_what_lies_there(recipe: Recipe) -> None:
    recipe.make_python()
    recipe.make_prose()
    rows = json.loads((recipe.out / "manifest.json").read_text())
    for row in rows:
        texts = tree(recipe.out / row["corpus"] / row["source"])
        assert (row["files"], row["characters"]) == (len(texts), sum(map(len, texts.values())))
    tool = next(r for r in rows if r["source"] == "tool")
    assert (tool["corpus"], tool["licence"], tool["part"]) == ("python/train", "MIT", 1)


def test_a_corpus_is_described_for_a_card(recipe: Recipe) -> None:
    recipe.make_python()
    line = describe(recipe.out, "python")
    assert "Python source" in line
    assert "web 1.0 (MIT, " in line
    assert "shop" not in line
    with pytest.raises(CorpusError, match="nothing of prose/train"):
        describe(recipe.out, "prose")


def test_prose_corpora_that_lack_a_part_are_refused(recipe: Recipe, corpora: Path) -> None:
    (corpora / "validation/peps/peps.md").unlink()
    with pytest.raises(CorpusError, match="validation/peps: no documents"):
        recipe.make_prose()


def test_a_part_of_the_prose_corpora_without_a_licence_is_refused(
    recipe: Recipe, corpora: Path
) -> None:
    (corpora / "train/blog").mkdir()
    (corpora / "train/blog/post.md").write_text(prose(1))
    with pytest.raises(CorpusError, match=r"post.md: blog is none of rust-book"):
        recipe.make_prose()


@pytest.mark.parametrize("share", [0.0, -1.0, 2.0, math.nan])
def test_a_share_is_above_0_and_at_most_1(recipe: Recipe, share: float) -> None:
    with pytest.raises(ValueError, match=f"share: {share} is not above 0 and at most 1"):
        replace(recipe, share=share)

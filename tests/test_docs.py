"""The docs say what the program does: no setting, verb, option or command without its word."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel
from typer.core import TyperCommand, TyperGroup, TyperOption

from nextchar.cli import app
from service.http.protocols.infill_schema import InfillRequest
from service.http.protocols.openai_schema import CompletionRequest
from service.http.schema import CompleteRequest
from service.http.websocket import Message
from service.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
GROUP = typer.main.get_command(app)
assert isinstance(GROUP, TyperGroup)
VERBS = {name: verb for name, verb in GROUP.commands.items() if isinstance(verb, TyperCommand)}
# Where the reader is told what to type.
GUIDES = [
    page
    for pattern in ("*.md", "docs/*.md", "[a-z]*/README.md", "[a-z]*/[a-z]*/README.md")
    for page in sorted(ROOT.glob(pattern))
]
# The lines of the README that are seen without scrolling.
FIRST_SCREEN = 38
# Where the reader is led through the code.
MAPS = [ROOT / name for name in ("CONTRIBUTING.md", "service/README.md", "model/README.md")]
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# `service/completions.py`, `sessions/` or `completions.py:Completions.complete`.
PLACE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)(?::([\w.]+))?`")
SUFFIXES = {".c", ".h", ".lua", ".md", ".py", ".sh", ".toml"}


def commands_of(page: Path) -> list[list[str]]:
    """The words of each command in the page's shell blocks, variables and prompts left out."""
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    simple = [part for line in lines for part in re.split(r"\s(?:\||&&|;)\s", line)]
    words = [shlex.split(part, comments=True) for part in simple]
    return [[word for word in each if not re.match(r"[A-Z_]+=", word)] for each in words if each]


def places_of(page: Path, text: str) -> list[tuple[Path | None, str, str]]:
    """Each place in the code that the text names: its file or None, as it is written, and the name.

    A path begins at the root or in the page's own folder.
    """
    found = []
    for written, name in PLACE.findall(text):
        files = [folder / written for folder in (page.parent, ROOT)]
        inside = "/" in written and any(
            (folder / written.partition("/")[0]).is_dir() for folder in (page.parent, ROOT)
        )
        if inside or written.endswith("/") or Path(written).suffix in SUFFIXES:
            found.append((next(filter(Path.exists, files), None), written, name))
    return found


def defines(file: Path, name: str) -> bool:
    """Whether a module, or a class of it, defines the name; another file need only contain it."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return re.search(rf"\b{re.escape(name)}\b", text) is not None
    return name in _names(ast.parse(text).body)


def _names(body: list[ast.stmt]) -> set[str]:
    found = set()
    for node in body:
        if isinstance(node, ast.ClassDef):
            members = _names(node.body)
            found |= {node.name} | members | {f"{node.name}.{member}" for member in members}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # A route is a function inside of the one that adds it.
            found |= {node.name} | _names(node.body)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {each.id for each in targets if isinstance(each, ast.Name)}
    return found


def wrong_places(page: Path, text: str) -> list[str]:
    """The places that the text names and that are not there."""
    return [
        f"{written}:{name}" if name else written
        for file, written, name in places_of(page, text)
        if file is None or (name and not defines(file, name))
    ]


def test_the_reference_pages_are_what_the_program_says(root: Path) -> None:
    result = subprocess.run(
        [sys.executable, "docs/reference.py", "--check"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_explained(name: str, root: Path) -> None:
    assert Settings.model_fields[name].description
    assert f"`{PREFIX}{name.upper()}`" in (root / "docs/settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("body", [CompleteRequest, Message, InfillRequest, CompletionRequest])
def test_every_field_of_a_request_is_explained(body: type[BaseModel], root: Path) -> None:
    page = (root / "docs/api.md").read_text(encoding="utf-8")
    assert [name for name in body.model_fields if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_and_its_options_are_explained_with_an_example(name: str, root: Path) -> None:
    page = (root / "docs/commands.md").read_text(encoding="utf-8")
    _, found, section = page.partition(f"## `nextchar {name}`\n")
    assert found
    section = section.partition("\n## ")[0]
    assert "Example:" in section
    for option in VERBS[name].params:
        assert not isinstance(option, TyperOption) or option.help, option.name
        for spelling in option.opts if isinstance(option, TyperOption) else ():
            assert f"`{spelling}" in section


@pytest.mark.parametrize(
    "page",
    [*GUIDES, *(ROOT / name for name in ("Dockerfile", "docker-compose.yml", "scripts/serve"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_a_variable_that_a_page_names_is_a_setting(page: Path) -> None:
    named = re.findall(rf"{PREFIX}([A-Z_]+)", page.read_text(encoding="utf-8"))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_a_page_gives_exists(page: Path) -> None:
    for program, *words in commands_of(page):
        name = program.removeprefix(".venv/bin/")
        if name.startswith(("scripts/", "training/runs/")):
            assert (ROOT / name).is_file(), f"{name} in {page.name}"
        if name == "nextchar" and words:
            verb = words[0]
            assert verb in VERBS, f"{name} {verb} in {page.name}"
            known = {spelling for each in VERBS[verb].params for spelling in each.opts}
            given = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
            assert given <= known | {"--help"}, f"{name} {verb} in {page.name}"


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{target} in {page.name}"


@pytest.mark.parametrize("page", MAPS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_place_in_the_code_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert places_of(page, text)
    assert wrong_places(page, text) == []


def test_a_recipe_names_as_many_files_as_it_says() -> None:
    """And no more than a change of its kind should touch."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipes = dict(
        zip(*[iter(re.split(r"^## (.*)\n", page, flags=re.MULTILINE)[1:])] * 2, strict=True)
    )
    named = {}
    for title, recipe in recipes.items():
        (word,) = re.findall(r"^\n(Three|Four|Six) files", recipe)
        steps = re.findall(r"^(\d)\. ", recipe, flags=re.MULTILINE)
        assert steps == [
            str(number) for number in range(1, {"Three": 3, "Four": 4, "Six": 6}[word] + 1)
        ]
        named[title] = len(steps)
    assert named == {
        "A field of a request": 3,
        "A store": 4,
        "A kind of cell": 6,
        "A rule that ends a suggestion": 3,
        "An option of decoding": 6,
    }


def test_a_place_that_is_not_there_is_found_out() -> None:
    right = "`tests/test_docs.py:wrong_places`, `test_docs.py`, `scripts/test`, `docs/`, `POST /ws`"
    wrong = ["tests/nowhere.py", "nowhere/", "scripts/nothing", "test_docs.py:nothing"]
    text = ", ".join([right, *(f"`{place}`" for place in wrong)])
    assert len(places_of(Path(__file__), right)) == 4
    assert wrong_places(Path(__file__), text) == wrong


def test_the_readme_gives_the_three_commands_of_a_newcomer(root: Path) -> None:
    given = [program for program, *_ in commands_of(root / "README.md")]
    assert given[:2] == ["scripts/serve", "curl"]
    assert "scripts/test" in given[:3]


@pytest.mark.parametrize(
    ("figure", "command", "source", "stands_there"),
    [
        ("1.8 ms", "-m benchmarks.sessions", "benchmarks/sessions.md", "(median of 200) | 1.8 |"),
        ("15 KB", "the same", "benchmarks/sessions.md", "15,136 bytes each"),
        ("58.2 %", "nextchar evaluate", "checkpoints/python/README.md", "saved | 58.2 % |"),
    ],
)
def test_the_readme_s_first_screen_says_what_it_costs_and_saves_and_how_that_is_measured(
    root: Path, figure: str, command: str, source: str, stands_there: str
) -> None:
    first_screen = (root / "README.md").read_text(encoding="utf-8").splitlines()[:FIRST_SCREEN]
    (row,) = (line for line in first_screen if f" {figure} " in line)
    assert command in row
    assert stands_there in (root / source).read_text(encoding="utf-8")

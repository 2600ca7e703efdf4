"""Writes the reference pages commands.md, settings.md and errors.md from the program itself.

With --check, `python docs/reference.py` writes nothing and names the pages that are out of date.
"""

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path

import typer
from pydantic.fields import FieldInfo
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from nextchar.cli import app
from service.errors import CODES
from service.settings import PREFIX, Settings

FOLDER = Path(__file__).parent
WRITTEN = "<!-- Written by docs/reference.py from the program; edit the program instead. -->"
NO_DEFAULTS: tuple[object, ...] = (None, (), "")


def commands_page() -> str:
    """Every verb of `nextchar` with its arguments, options and example."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    parts = [
        WRITTEN,
        "# Commands",
        "Each verb says the same with `nextchar VERB --help`. A user's mistake is one line and "
        "exit status 2. What takes settings reads [NEXTCHAR_… variables](settings.md) too.",
        *(section for name, verb in group.commands.items() for section in _verb(name, verb)),
    ]
    return "\n\n".join(parts) + "\n"


def settings_page() -> str:
    """Every setting of the service: its variable, default, bounds and meaning."""
    rows = [_setting(name, field) for name, field in Settings.model_fields.items()]
    parts = [
        WRITTEN,
        "# Settings",
        "The service reads them from the environment when it starts; `nextchar serve` has options "
        "for those that are set most often ([commands](commands.md)), and an option wins over its "
        "variable. A setting that is refused stops the start with one line that names it.",
        _table(("variable", "default", "bounds", "meaning"), rows),
    ]
    return "\n\n".join(parts) + "\n"


def errors_page() -> str:
    """Every code of the error format, its HTTP status and what it means."""
    rows = [(f"`{name}`", str(code.status), code.meaning) for name, code in CODES.items()]
    parts = [
        WRITTEN,
        "# Errors",
        "Every answer that is no success has the body "
        '`{"error": {"code", "message", "field"}}`; `field` names the field at fault, where there '
        "is one.",
        _table(("code", "HTTP status", "meaning"), rows),
    ]
    return "\n\n".join(parts) + "\n"


def _verb(name: str, verb: object) -> Iterable[str]:
    assert isinstance(verb, TyperCommand)
    context = typer.Context(verb, info_name=f"nextchar {name}")
    arguments = [_usage(each) for each in verb.params if isinstance(each, TyperArgument)]
    usage = " ".join([f"nextchar {name}", "[OPTIONS]", *arguments])
    text, _, example = inspect.cleandoc(verb.help or "").partition("Example:")
    yield f"## `nextchar {name}`"
    yield text.strip()
    yield f"```\n{usage}\n```"
    rows = [
        _parameter(each, context)
        for each in verb.params
        if isinstance(each, TyperArgument | TyperOption) and not each.hidden
    ]
    if rows:
        yield _table(("argument or option", "default", "meaning"), rows)
    if example:
        yield f"Example:\n\n```sh\n{inspect.cleandoc(example)}\n```"


def _usage(argument: TyperArgument) -> str:
    word = _word(argument) + ("..." if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _word(argument: TyperArgument) -> str:
    return (argument.metavar or argument.name).strip("[].").upper()


def _parameter(
    parameter: TyperArgument | TyperOption, context: typer.Context
) -> tuple[str, str, str]:
    if isinstance(parameter, TyperArgument):
        spelling = f"`{_word(parameter)}`"
    else:
        metavar = parameter.metavar or (parameter.display_type(context) or "").strip("<>").upper()
        names = [*parameter.opts, *parameter.secondary_opts]
        takes = "" if parameter.is_flag else f" {metavar}"
        spelling = ", ".join(f"`{name}{takes}`" for name in names)
    value = parameter.default
    # Several values of one option are shown as they are typed.
    shown = _value(" ".join(map(str, value)) if isinstance(value, tuple) else value)
    return spelling, "required" if parameter.required else shown, parameter.help or ""


def _setting(name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    limits = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [
        f"{sign} {getattr(rule, limit)}"
        for rule in field.metadata
        for limit, sign in limits.items()
        if getattr(rule, limit, None) is not None
    ]
    default = field.get_default(call_default_factory=True)
    return f"`{PREFIX}{name.upper()}`", _value(default), ", ".join(bounds), field.description or ""


def _value(value: object) -> str:
    if callable(value) or any(value is nothing or value == nothing for nothing in NO_DEFAULTS):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{value}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {"commands.md": commands_page, "settings.md": settings_page, "errors.md": errors_page}


def main(arguments: list[str]) -> int:
    """Writes the pages. With --check only compares them, and returns 1 where one is out of date."""
    checking = arguments == ["--check"]
    if arguments and not checking:
        print("usage: python docs/reference.py [--check]", file=sys.stderr)
        return 2
    drifted = 0
    for name, page in PAGES.items():
        path = FOLDER / name
        text = page()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        drifted += 1
        if checking:
            print(f"docs/{name} has drifted: run .venv/bin/python docs/reference.py")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    return 1 if checking and drifted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

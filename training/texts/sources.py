"""Reads the list of sources, `sources.toml`: versions, licences, and what is taken of each."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from training.errors import CorpusError
from training.texts.selection import NEVER

LIST = Path(__file__).with_name("sources.toml")

# The permissive licences that a source may have, and a pattern that the licence's text must match.
LICENCES = {
    "Apache-2.0": "Apache License,? Version 2\\.0",
    "BSD-2-Clause": "Redistributions? in binary form",
    "BSD-3-Clause": "Redistributions? in binary form.*endorse or promote",
    "ISC": "Permission to use, copy, modify, and(/or)? distribute",
    "MIT": "Permission is hereby granted, free of charge",
    "PSF-2.0": "PYTHON SOFTWARE FOUNDATION LICENSE",
}


class Source(BaseModel):
    """One distribution: an archive from the package index, or a package that is installed.

    `holders` have the copyright, and are named in NOTICE. The `role` tells whether a source is
    trained on, held out whole for validation, or read only for priming, so that adaptation is
    primed on text that is new to the network. `file` is the archive's name in the package index; it
    is empty for an installed package.

    `code` and `prose` are the folders whose Python and whose documentation is taken, relative to
    the archive's root or to `site-packages`. `skip` are patterns of paths that are left out. At
    most `most` characters of code are taken; the MD5 of their paths decides which files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z0-9-]+$")
    version: str
    licence: str
    holders: str
    role: Literal["train", "validation", "priming"] = "train"
    file: str = Field("", pattern=r"^([\w.-]+\.tar\.gz)?$")
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    licence_file: str = "LICENSE"
    code: tuple[str, ...] = ()
    prose: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    most: int = Field(1_000_000_000, gt=0)

    @property
    def installed(self) -> bool:
        """Whether the source is read from the installed package, not from an archive."""
        return not self.file

    @field_validator("name")
    @classmethod
    def _is_no_comparison(cls, name: str) -> str:
        if name in NEVER:
            raise ValueError("kept for a comparison, so it is neither trained nor tuned on")
        return name

    @field_validator("licence")
    @classmethod
    def _is_permissive(cls, licence: str) -> str:
        if licence not in LICENCES:
            raise ValueError(f"{licence!r} is none of {', '.join(LICENCES)}")
        return licence


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: tuple[Source, ...]

    @field_validator("source")
    @classmethod
    def _is_clear(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        names = [s.name for s in sources]
        for s in sources:
            if names.count(s.name) > 1:
                raise ValueError(f"{s.name} is listed twice")
            if bool(s.file) != bool(s.sha256):
                raise ValueError(f"{s.name}: an archive needs both file and sha256")
            if s.role != "train" and s.prose:
                raise ValueError(f"{s.name}: prose: packages are held out for code alone")
        return sources


def read_sources(path: Path = LIST) -> tuple[Source, ...]:
    """The sources in a list. Raises CorpusError; the message names the source and the field."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return _List.model_validate(document).source
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if len(first["loc"]) > 1:
            where += f" ({document['source'][first['loc'][1]].get('name', 'no name')})"
        message = first["msg"].removeprefix("Value error, ")
        raise CorpusError(f"{path}: {where}: {message}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: {error}") from None

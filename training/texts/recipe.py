"""The recipe: the sources' texts, chosen, rid of repetitions, written as folders of documents.

OUT/python/{train,validation}     the standard library's two sides; the sources' code
OUT/python/priming                code of packages that the network does not read
OUT/packages/validation           code of packages that are held out whole
OUT/prose/{train,validation}      the prose corpora; the sources' documentation
OUT/manifest.json                 what lies there, under which licence
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from pydoc_data.topics import topics
from random import Random

from training import corpus
from training.corpus import CorpusError, Selection
from training.texts import manifest
from training.texts.archives import INDEX, fetch, members
from training.texts.duplicates import Duplicates
from training.texts.library import FOLDER, read_library
from training.texts.manifest import Share
from training.texts.selection import MINIMUM, is_code, is_prose, own
from training.texts.sources import LICENCES, Source

PROSE = {
    "rust-book": "MIT OR Apache-2.0",
    "nodejs.org": "MIT",
    "prometheus-docs": "Apache-2.0",
    "peps": "public domain OR CC0-1.0",
}
"""The parts of the folder of prose corpora (training/README.md), and their licences."""

Text = tuple[str, str]
"""A document: its path in its source, and its text."""

Wide = list[tuple[str, str, str, list[Text]]]
"""Sources that widen a corpus: name, version, licence, and documents."""


@dataclass(frozen=True)
class Recipe:
    """Where the inputs lie, and what a person is told while it runs."""

    out: Path
    sources: tuple[Source, ...]
    archives: Path
    prose: Path | None = None
    library: Path = FOLDER
    share: float = 1.0
    """The part of the sources' files that is taken, at random, for a training without the time
    for all; the standard library and the prose corpora are always taken whole."""
    index: str = INDEX
    say: Callable[[str], None] = lambda line: None
    advance: Callable[[str, int, int], None] = lambda name, done, total: None

    def make_python(self) -> None:
        """Makes OUT/python and OUT/packages anew; raises CorpusError, and then leaves the old."""
        duplicates = Duplicates()
        shares = self._held_out_packages(duplicates)
        library = read_library(self.library)
        for document in library.validation:
            duplicates.hold_out(document.text)
        for document in library.train:
            duplicates.keep(document.text)
        version = platform.python_version()
        for side, documents in (("validation", library.validation), ("train", library.train)):
            texts = [(d.path, d.text) for d in documents]
            shares.append(self._write(f"python/{side}", "cpython", version, "PSF-2.0", texts))
        shares += self._write_share("python/train", self._wide_code("train", duplicates))
        for read in self._wide_code("priming", duplicates):
            shares.append(self._write("python/priming", *read))
        self._publish(shares, "python", "packages")

    def make_prose(self) -> None:
        """Makes OUT/prose anew; raises CorpusError, and then leaves the old."""
        duplicates = Duplicates()
        shares = []
        for side, remember in (("validation", duplicates.hold_out), ("train", duplicates.keep)):
            for part, texts in self._prose_parts(side).items():
                for _, text in texts:
                    remember(text)
                shares.append(self._write(f"prose/{side}", part, "", PROSE[part], texts))
        reference = sorted((f"{name}.txt", text) for name, text in topics.items())
        texts = [t for t in reference if is_prose(*t) and duplicates.admits(t[1])]
        wide: Wide = [("cpython", platform.python_version(), "PSF-2.0", texts)]
        for source in (s for s in self.sources if s.role == "train" and s.prose):
            found = [t for t in self._texts(source, source.prose) if is_prose(*t)]
            texts = [t for t in found if duplicates.admits(t[1])]
            wide.append((source.name, source.version, source.licence, texts))
        shares += self._write_share("prose/train", wide)
        self._publish(shares, "prose")

    def _wide_code(self, role: str, duplicates: Duplicates) -> Wide:
        """The code of the sources of a role, without what repeats other code."""
        wide: Wide = []
        for source in self.sources:
            if source.role == role and source.code:
                found = [(p, duplicates.without_header(text)) for p, text in self._code(source)]
                new = [t for t in found if len(t[1]) >= MINIMUM and duplicates.admits(t[1])]
                texts = sorted(_at_most(new, source.most))
                wide.append((source.name, source.version, source.licence, texts))
        return wide

    def _held_out_packages(self, duplicates: Duplicates) -> list[Share]:
        """Of each package one file in twenty, by its path; nothing like any other is trained on."""
        shares = []
        for source in self.sources:
            if source.role == "validation":
                texts = self._code(source)
                for _, text in texts:
                    duplicates.hold_out(text)
                chosen = [t for t in texts if _digest(t[0]) % 20 == 0]
                shares.append(
                    self._write(
                        "packages/validation", source.name, source.version, source.licence, chosen
                    )
                )
        return shares

    def _prose_parts(self, side: str) -> dict[str, list[Text]]:
        if self.prose is None:
            raise CorpusError("--prose: name the folder of prose corpora")
        passed_over: list[str] = []
        parts: dict[str, list[Text]] = {part: [] for part in PROSE}
        for document in corpus.documents([self.prose / side], Selection(), passed_over):
            part, _, path = document.path.partition("/")
            if part not in parts:
                raise CorpusError(f"{document.file}: {part} is none of {', '.join(PROSE)}")
            parts[part].append((path, document.text))
        if passed_over:
            raise CorpusError(passed_over[0])
        for part, texts in parts.items():
            if not texts:
                raise CorpusError(f"{self.prose / side / part}: no documents")
        return parts

    def _code(self, source: Source) -> list[Text]:
        return [t for t in self._texts(source, source.code) if is_code(*t)]

    def _texts(self, source: Source, folders: Iterable[str]) -> list[Text]:
        """The own text files of a source below some folders, by path."""
        texts = []
        for path, content in self._files(source):
            if any(path.startswith(f"{f}/") for f in folders) and own(path, source.skip):
                try:
                    text = content.decode("utf-8")
                except UnicodeDecodeError:
                    continue
                if "\0" not in text:
                    texts.append((path, text.removeprefix("\ufeff").replace("\r\n", "\n")))
        return sorted(texts)

    def _files(self, source: Source) -> Iterator[tuple[str, bytes]]:
        """The files of a source; raises CorpusError in the end if its licence is another."""
        if source.installed:
            files = _installed(source)
        else:
            archive = fetch(
                source,
                self.archives,
                self.index,
                lambda done, total: self.advance(source.file, done, total),
            )
            files = members(source, archive)
        licence = None
        for path, content in files:
            if path == source.licence_file:
                licence = content.decode("utf-8", "replace")
            yield path, content
        if licence is None:
            raise CorpusError(f"{source.name}: it holds no {source.licence_file}")
        if not re.search(LICENCES[source.licence], " ".join(licence.split())):
            raise CorpusError(f"{source.name}: {source.licence_file} is not {source.licence}")

    def _write_share(self, name: str, wide: Wide) -> list[Share]:
        """Writes what sources give to a corpus, or a random part of it that is always the same."""
        paths = [PurePosixPath(source, path) for source, *_, texts in wide for path, _ in texts]
        chance = Random(2026)
        taken = {path for path in sorted(paths) if chance.random() < self.share}
        return [
            self._write(
                name,
                source,
                version,
                licence,
                [t for t in texts if PurePosixPath(source, t[0]) in taken],
                self.share,
            )
            for source, version, licence, texts in wide
        ]

    def _write(
        self,
        name: str,
        source: str,
        version: str,
        licence: str,
        texts: list[Text],
        part: float = 1.0,
    ) -> Share:
        """Writes what a source gives to a corpus, beside the corpora that are there."""
        for path, text in texts:
            file = self._unfinished / name / source / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8"))
        characters = sum(len(text) for _, text in texts)
        self.say(f"{name}/{source}: {characters:,} characters in {len(texts):,} files")
        return Share(name, source, version, licence, len(texts), characters, part)

    def _publish(self, shares: list[Share], *corpora: str) -> None:
        """Puts whole corpora in the place of those that are there."""
        for name in corpora:
            shutil.rmtree(self.out / name, ignore_errors=True)
            if (self._unfinished / name).exists():
                (self._unfinished / name).rename(self.out / name)
        manifest.write(self.out, shares)

    @property
    def _unfinished(self) -> Path:
        return self.out / ".unfinished"

    def clear(self) -> None:
        """Removes what a run that was broken off had written."""
        shutil.rmtree(self._unfinished, ignore_errors=True)


def _installed(source: Source) -> Iterator[tuple[str, bytes]]:
    """The Python and the licence of an installed package; raises CorpusError."""
    try:
        distribution = importlib.metadata.distribution(source.name)
    except importlib.metadata.PackageNotFoundError:
        raise CorpusError(
            f"{source.name}: not installed; pip install {source.name}=={source.version}"
        ) from None
    if distribution.version.partition("+")[0] != source.version:
        raise CorpusError(
            f"{source.name}: version {distribution.version} is installed, not {source.version}"
        )
    for file in distribution.files or ():
        path = file.as_posix()
        licence = len(file.parts) == 3 and file.match(f"*.dist-info/*/{source.licence_file}")
        if licence or path.endswith(".py"):
            try:
                yield source.licence_file if licence else path, file.read_binary()
            except OSError as error:
                raise CorpusError(f"{source.name}: {file}: {error.strerror}") from None


def _at_most(texts: list[Text], most: int) -> Iterator[Text]:
    """As many texts as `most` characters hold, in the order of their paths' MD5."""
    for path, text in sorted(texts, key=lambda t: _digest(t[0])):
        most -= len(text)
        if most < 0:
            return
        yield path, text


def _digest(path: str) -> int:
    return int(hashlib.md5(path.encode(), usedforsecurity=False).hexdigest(), 16)

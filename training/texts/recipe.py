"""The recipe: chooses the texts of the sources, removes repetitions, and writes documents.

OUT/python/{train,validation}     the standard library's two sides; the sources' code
OUT/python/priming                code of packages that the network does not read
OUT/packages/validation           code of packages that are held out whole
OUT/prose/{train,validation}      the prose corpora; the sources' documentation
OUT/manifest.json                 what the folders hold, under which licences
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from pydoc_data.topics import topics
from random import Random

from model.text_form import training_form
from training import corpus
from training.corpus import HELD_OUT_ONE_IN, Selection
from training.errors import CorpusError
from training.texts import manifest
from training.texts.archives import INDEX_URL, fetch, members
from training.texts.duplicates import Duplicates
from training.texts.library import FOLDER, read_library
from training.texts.manifest import Share
from training.texts.selection import LEAST_CHARACTERS, is_code, is_prose, own
from training.texts.sources import LICENCES, Source

# The parts of the folder of prose corpora (training/README.md), and their licences.
PROSE_LICENCES = {
    "rust-book": "MIT OR Apache-2.0",
    "nodejs.org": "MIT",
    "prometheus-docs": "Apache-2.0",
    "peps": "public domain OR CC0-1.0",
}

# The files that --share takes are drawn with this seed, so that they are always the same.
SHARE_SEED = 2026

# A document: its path in its source, and its text.
Text = tuple[str, str]


@dataclass(frozen=True)
class SourceTexts:
    """The texts of one source for one corpus."""

    source: str
    version: str
    licence: str
    texts: list[Text]


@dataclass(frozen=True)
class Recipe:
    """The places of inputs and outputs, the share of the sources, and functions that report.

    `share` is the random part of the sources' files that is taken, for a training without the time
    for all of them. The standard library and the prose corpora are always taken whole. `say` is
    called with lines for the user. `advance` is called with a download's name, the bytes that have
    arrived and their total.

    Raises ValueError for a share that is not above 0 and at most 1.
    """

    out: Path
    sources: tuple[Source, ...]
    archives: Path
    prose: Path | None = None
    library: Path = FOLDER
    share: float = 1.0
    index: str = INDEX_URL
    say: Callable[[str], None] = lambda line: None
    advance: Callable[[str, int, int], None] = lambda name, done, total: None

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share: {self.share} is not above 0 and at most 1")

    def make_python(self) -> None:
        """Makes OUT/python and OUT/packages. Raises CorpusError; then the old folders stay."""
        duplicates = Duplicates()
        shares = self._write_held_out_packages(duplicates)
        library = read_library(self.library)
        for document in library.validation:
            duplicates.hold_out(document.text)
        for document in library.train:
            duplicates.keep(document.text)
        for side, documents in (("validation", library.validation), ("train", library.train)):
            texts = [(d.path, d.text) for d in documents]
            shares.append(self._write(f"python/{side}", _cpython(texts)))
        shares += self._write_share("python/train", self._code_of("train", duplicates))
        for part in self._code_of("priming", duplicates):
            shares.append(self._write("python/priming", part))
        self._publish(shares, "python", "packages")

    def make_prose(self) -> None:
        """Makes OUT/prose. Raises CorpusError; then the old folder stays."""
        duplicates = Duplicates()
        shares = []
        for side, remember in (("validation", duplicates.hold_out), ("train", duplicates.keep)):
            for part in self._prose_corpora(side):
                for _, text in part.texts:
                    remember(text)
                shares.append(self._write(f"prose/{side}", part))
        reference = sorted((f"{name}.txt", text) for name, text in topics.items())
        parts = [_cpython([t for t in reference if is_prose(*t) and duplicates.admits(t[1])])]
        for source in (s for s in self.sources if s.role == "train" and s.prose):
            found = [t for t in self._texts(source, source.prose) if is_prose(*t)]
            parts.append(_of(source, [t for t in found if duplicates.admits(t[1])]))
        shares += self._write_share("prose/train", parts)
        self._publish(shares, "prose")

    def clear(self) -> None:
        """Removes the unfinished files of an interrupted run."""
        shutil.rmtree(self._unfinished, ignore_errors=True)

    def _code_of(self, role: str, duplicates: Duplicates) -> list[SourceTexts]:
        """The code of all sources with a role, without near-duplicates."""
        parts = []
        for source in self.sources:
            if source.role == role and source.code:
                found = [(p, duplicates.without_header(text)) for p, text in self._code(source)]
                new = [
                    t for t in found if len(t[1]) >= LEAST_CHARACTERS and duplicates.admits(t[1])
                ]
                parts.append(_of(source, sorted(_at_most(new, source.most))))
        return parts

    def _write_held_out_packages(self, duplicates: Duplicates) -> list[Share]:
        """Writes one file in twenty of each package that is held out, chosen by its path.

        The other files are held out, too: nothing that resembles them is trained on.
        """
        shares = []
        for source in (s for s in self.sources if s.role == "validation"):
            texts = self._code(source)
            for _, text in texts:
                duplicates.hold_out(text)
            chosen = [t for t in texts if _digest(t[0]) % HELD_OUT_ONE_IN == 0]
            shares.append(self._write("packages/validation", _of(source, chosen)))
        return shares

    def _prose_corpora(self, side: str) -> list[SourceTexts]:
        """The prose corpora of one side, `train` or `validation`, in the order of the licences."""
        if self.prose is None:
            raise CorpusError("--prose: name the folder of prose corpora")
        passed_over: list[str] = []
        parts: dict[str, list[Text]] = {part: [] for part in PROSE_LICENCES}
        for document in corpus.documents([self.prose / side], Selection(), passed_over):
            part, _, path = document.path.partition("/")
            if part not in parts:
                raise CorpusError(f"{document.file}: {part} is none of {', '.join(PROSE_LICENCES)}")
            parts[part].append((path, document.text))
        if passed_over:
            raise CorpusError(passed_over[0])
        for part, texts in parts.items():
            if not texts:
                raise CorpusError(f"{self.prose / side / part}: no documents")
        return [SourceTexts(part, "", PROSE_LICENCES[part], texts) for part, texts in parts.items()]

    def _code(self, source: Source) -> list[Text]:
        return [t for t in self._texts(source, source.code) if is_code(*t)]

    def _texts(self, source: Source, folders: Iterable[str]) -> list[Text]:
        """The source's own text files below some of its folders, in the order of their paths."""
        texts = []
        for path, content in self._files(source):
            if any(path.startswith(f"{f}/") for f in folders) and own(path, source.skip):
                try:
                    text = content.decode("utf-8")
                except UnicodeDecodeError:
                    continue
                if "\0" not in text:
                    texts.append((path, training_form(text)))
        return sorted(texts)

    def _files(self, source: Source) -> Iterator[tuple[str, bytes]]:
        """The files of a source.

        Raises CorpusError after the last file where the licence is missing or is another one.
        """
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

    def _write_share(self, corpus_name: str, parts: list[SourceTexts]) -> list[Share]:
        """Writes the sources' texts for a corpus: a random part of their files, by `share`."""
        paths = [PurePosixPath(part.source, path) for part in parts for path, _ in part.texts]
        chance = Random(SHARE_SEED)
        taken = {path for path in sorted(paths) if chance.random() < self.share}
        shares = []
        for part in parts:
            texts = [t for t in part.texts if PurePosixPath(part.source, t[0]) in taken]
            shares.append(self._write(corpus_name, replace(part, texts=texts), self.share))
        return shares

    def _write(self, corpus_name: str, part: SourceTexts, share: float = 1.0) -> Share:
        """Writes a source's texts for a corpus into the folder of unfinished corpora."""
        for path, text in part.texts:
            file = self._unfinished / corpus_name / part.source / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8"))
        files, characters = len(part.texts), sum(len(text) for _, text in part.texts)
        self.say(f"{corpus_name}/{part.source}: {characters:,} characters in {files:,} files")
        return Share(corpus_name, part.source, part.version, part.licence, files, characters, share)

    def _publish(self, shares: list[Share], *corpora: str) -> None:
        """Replaces corpora with those that were just written, and adds them to the manifest."""
        for name in corpora:
            shutil.rmtree(self.out / name, ignore_errors=True)
            if (self._unfinished / name).exists():
                (self._unfinished / name).rename(self.out / name)
        manifest.write(self.out, shares)

    @property
    def _unfinished(self) -> Path:
        return self.out / ".unfinished"


def _cpython(texts: list[Text]) -> SourceTexts:
    """Texts as those of the Python that runs this."""
    return SourceTexts("cpython", platform.python_version(), "PSF-2.0", texts)


def _of(source: Source, texts: list[Text]) -> SourceTexts:
    return SourceTexts(source.name, source.version, source.licence, texts)


def _installed(source: Source) -> Iterator[tuple[str, bytes]]:
    """The Python files and the licence of an installed package; raises CorpusError."""
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
    """Texts in the order of their paths' MD5, as long as they have at most `most` characters."""
    for path, text in sorted(texts, key=lambda t: _digest(t[0])):
        most -= len(text)
        if most < 0:
            return
        yield path, text


def _digest(path: str) -> int:
    return int(hashlib.md5(path.encode(), usedforsecurity=False).hexdigest(), 16)

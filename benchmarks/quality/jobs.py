"""Which systems are measured on which sets, and the figures of an earlier run."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from benchmarks.quality import networks, peers
from benchmarks.quality.rows import Row
from benchmarks.quality.texts import SETS, Span, TextSet
from model.checkpoint import replace
from model.decoding.options import Options


@dataclass(frozen=True)
class JobSettings:
    """How everything of one run is measured."""

    span: Span
    max_chars: int


@dataclass(frozen=True)
class QualityJob:
    """One system on one set; the progress of its measurement counts up to `characters`.

    A network gives several rows, because its suggestions are cut in several ways.
    """

    system: str
    texts: TextSet
    characters: int
    measure: Callable[[peers.Progress], list[Row]]


@dataclass(frozen=True)
class Measured:
    """A row, and the texts that it was measured on."""

    digest: str
    row: Row


@dataclass(frozen=True)
class JobFigures:
    """What is written as JSON."""

    processor: str
    settings: JobSettings
    rows: tuple[Measured, ...]


def for_sets(named: Sequence[str]) -> dict[str, list[Path]]:
    """The folders of each set, from arguments [SET,…=]DIR. Raises ValueError for an unknown set."""
    found: dict[str, list[Path]] = {name: [] for name in SETS}
    for argument in named:
        before, equals, directory = argument.rpartition("=")
        names = before.split(",") if equals else SETS
        for name in names:
            if name not in found:
                raise ValueError(f"{argument}: {name!r} is no set; they are {', '.join(SETS)}")
            found[name].append(Path(directory))
    return found


def network_jobs(
    named: Sequence[str], plain: Sequence[str], sets: Sequence[TextSet], settings: JobSettings
) -> Iterator[QualityJob]:
    """The jobs of checkpoints; where a set has several, each is named by its folder.

    Raises ModelError for a folder that is no checkpoint.
    """
    options = Options(max_chars=settings.max_chars)
    for texts in sets:
        characters = networks.characters(texts, settings.span)
        for system, directory in _called("plain LSTM", for_sets(plain)[texts.name]):
            run = partial(networks.measure_plain, directory, system, texts, settings.span, options)
            yield QualityJob(system, texts, characters, run)
        for kind, directory in _called("network", for_sets(named)[texts.name]):
            for adapt in networks.ways(directory):
                system = f"{kind}{' adapted' if adapt else ''}"
                run = partial(
                    networks.measure, directory, kind, adapt, texts, settings.span, options
                )
                yield QualityJob(system, texts, characters, run)


def peer_jobs(sets: Sequence[TextSet], settings: JobSettings) -> Iterator[QualityJob]:
    """The jobs of all peers."""
    for texts in sets:
        for system in peers.NAMES:
            run = partial(peers.measure, system, texts, settings.span, settings.max_chars)
            yield QualityJob(system, texts, peers.characters(system, texts, settings.span), run)


def _called(kind: str, folders: Sequence[Path]) -> list[tuple[str, Path]]:
    return [(f"{kind} {f}" if len(folders) > 1 else kind, f) for f in folders]


def write(figures: JobFigures, file: Path) -> None:
    """Writes the figures, whole or not at all."""
    replace(file, (json.dumps(asdict(figures), ensure_ascii=False, indent=2) + "\n").encode())


def peers_of(file: Path, settings: JobSettings) -> dict[tuple[str, str], Row]:
    """The peers' rows of an earlier run, by the texts' digest and the system.

    Raises ValueError for a file of another form or of other settings.
    """
    try:
        figures = TypeAdapter(JobFigures).validate_json(file.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{file}: not the figures of a run: {error.errors()[0]['msg']}") from None
    if figures.settings != settings:
        raise ValueError(f"{file}: measured with {figures.settings}, not with {settings}")
    return {
        (one.digest, one.row.system): one.row
        for one in figures.rows
        if one.row.system in peers.NAMES
    }

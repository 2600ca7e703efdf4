"""Small archives and corpora, made on the spot."""

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.training.texts.made import Archive, code, prose
from training.texts.sources import Source

MIT = "Permission is hereby granted, free of charge, to any person obtaining a copy."


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Makes the archive of a source, in tmp_path/archives, from its files by path."""

    def make(name: str, files: dict[str, str], **fields: Any) -> Source:
        file = tmp_path / "archives" / f"{name}-1.0.tar.gz"
        file.parent.mkdir(exist_ok=True)
        with tarfile.open(file, "w:gz") as opened:
            for path, text in {"LICENSE": MIT, **files}.items():
                member = tarfile.TarInfo(f"{name}-1.0/{path}")
                content = text.encode()
                member.size = len(content)
                opened.addfile(member, io.BytesIO(content))
        given = {"licence": "MIT", "code": (name,), **fields}
        return Source(
            name=name,
            version="1.0",
            holders="somebody",
            file=file.name,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            **given,
        )

    return make


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Forty modules that stand for a standard library."""
    folder = tmp_path / "library"
    folder.mkdir()
    for i in range(40):
        (folder / f"module{i}.py").write_text(code(1000 + i))
    return folder


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    """A folder of prose corpora, with all parts on both sides."""
    folder = tmp_path / "prose"
    parts = ("rust-book", "nodejs.org", "prometheus-docs", "peps")
    for number, part in enumerate(parts):
        for side, seed in (("train", 2000 + number), ("validation", 3000 + number)):
            file = folder / side / part / f"{part}.md"
            file.parent.mkdir(parents=True)
            file.write_text(prose(seed))
    return folder

import io
import tarfile
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from pathlib import Path
from threading import Thread

import pytest

from tests.training.texts.made import Archive, code
from training.errors import CorpusError
from training.texts.archives import fetch, members
from training.texts.sources import Source


class PackageIndex(SimpleHTTPRequestHandler):
    """A package index in a folder that answers ranges."""

    ranges: list[str]

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        wanted = self.headers.get("Range", "")
        if file.parent.name == "simple":
            names = [f.name for f in file.parent.parent.glob("archives/*.tar.gz")]
            entries = [{"filename": n, "url": f"../../archives/{n}"} for n in names]
            self._answer(200, dumps({"files": entries}).encode())
        elif wanted:
            self.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            content = file.read_bytes()[start:]
            self._answer(206 if content else 416, content)
        else:
            super().do_GET()

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        """Says nothing."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "simple" / "thing").mkdir(parents=True)
    PackageIndex.ranges = []
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(PackageIndex, directory=str(tmp_path))
    ) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()


@pytest.fixture
def thing(archive: Archive) -> Source:
    return archive("thing", {f"thing/{i}.py": code(i) for i in range(9)})


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


def test_an_archive_is_fetched_once(tmp_path: Path, thing: Source, index: str) -> None:
    file = fetch(thing, tmp_path / "kept", index, quiet)
    assert sha256(file.read_bytes()).hexdigest() == thing.sha256
    assert fetch(thing, tmp_path / "kept", "http://127.0.0.1:9/", quiet) == file
    assert [f.name for f in (tmp_path / "kept").iterdir()] == [thing.file]


@pytest.mark.parametrize("missing", [1, 500, 0])
def test_a_download_goes_on_where_it_ended(
    tmp_path: Path, thing: Source, index: str, missing: int
) -> None:
    whole = (tmp_path / "archives" / thing.file).read_bytes()
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / f"{thing.file}.part").write_bytes(whole[: len(whole) - missing])
    assert fetch(thing, kept, index, quiet).read_bytes() == whole
    assert PackageIndex.ranges == [f"bytes={len(whole) - missing}-"]


def test_a_download_that_is_another_archive_is_not_kept(
    tmp_path: Path, thing: Source, index: str
) -> None:
    other = thing.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(CorpusError, match=f"thing: .* its SHA-256 is {thing.sha256}, not 0000"):
        fetch(other, tmp_path / "kept", index, quiet)
    assert not list((tmp_path / "kept").iterdir())


def test_an_archive_that_was_changed_is_named(tmp_path: Path, thing: Source) -> None:
    file = tmp_path / "archives" / thing.file
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(CorpusError, match=r"thing: .* is not the archive that is pinned"):
        fetch(thing, file.parent, "http://127.0.0.1:9/", quiet)


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("http://127.0.0.1:9/simple", "could not be fetched from .*refused"),
        ("file:///etc", "is no address of a web server"),
        ("ftp://127.0.0.1/", "is no address of a web server"),
    ],
)
def test_an_index_that_does_not_answer_is_named(
    tmp_path: Path, thing: Source, address: str, error: str
) -> None:
    with pytest.raises(CorpusError, match=f"thing: {thing.file} .*{error}"):
        fetch(thing, tmp_path / "kept", address, quiet)


def test_an_index_that_answers_in_another_form_is_named(
    tmp_path: Path, thing: Source, index: str
) -> None:
    (tmp_path / "other" / "thing").mkdir(parents=True)
    (tmp_path / "other" / "thing" / "index.html").write_text("<html>no list</html>")
    with pytest.raises(CorpusError, match=r"thing: .* could not be fetched from"):
        fetch(thing, tmp_path / "kept", index.replace("simple", "other"), quiet)


def test_an_archive_that_the_index_does_not_list_is_named(
    tmp_path: Path, thing: Source, index: str
) -> None:
    with pytest.raises(CorpusError, match=r"thing-9.tar.gz could not be fetched .* not list it"):
        fetch(thing.model_copy(update={"file": "thing-9.tar.gz"}), tmp_path / "kept", index, quiet)


def test_the_files_of_an_archive_are_read_below_its_folder(tmp_path: Path, thing: Source) -> None:
    found = dict(members(thing, tmp_path / "archives" / thing.file))
    assert found["thing/3.py"].decode() == code(3)
    assert sorted(found) == ["LICENSE", *(f"thing/{i}.py" for i in range(9))]


def test_an_archive_that_ends_early_is_refused(tmp_path: Path, thing: Source) -> None:
    file = tmp_path / "archives" / thing.file
    file.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(CorpusError, match=f"thing: .*{thing.file}: "):
        list(members(thing, file))


@pytest.mark.parametrize("name", ["../outside.py", "thing-1.0/../../outside.py"])
def test_an_archive_that_reaches_outside_is_refused(
    tmp_path: Path, thing: Source, name: str
) -> None:
    file = tmp_path / "outside.tar.gz"
    with tarfile.open(file, "w:gz") as opened:
        member = tarfile.TarInfo(name)
        member.size = 5
        opened.addfile(member, io.BytesIO(b"x = 1"))
    with pytest.raises(CorpusError, match="outside"):
        list(members(thing, file))


def test_links_are_passed_over(tmp_path: Path, thing: Source) -> None:
    file = tmp_path / "links.tar.gz"
    with tarfile.open(file, "w:gz") as opened:
        member = tarfile.TarInfo("thing-1.0/link.py")
        member.type = tarfile.SYMTYPE
        member.linkname = "LICENSE"
        opened.addfile(member)
    assert not list(members(thing, file))

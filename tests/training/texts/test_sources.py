import re
from pathlib import Path

import pytest

from training.errors import CorpusError
from training.texts.selection import NEVER
from training.texts.sources import LICENCES, LIST, read_sources

ENTRY = """
[[source]]
name = "thing"
version = "1.0"
file = "thing-1.0.tar.gz"
sha256 = "{sha}"
licence = "MIT"
holders = "somebody"
code = ["thing"]
""".format(sha="0" * 64)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (('name = "thing"', 'name = "flask"'), r"source\.0\.name \(flask\): kept for a comparison"),
        (('"MIT"', '"GPL-3.0-only"'), r"source\.0\.licence \(thing\): 'GPL-3.0-only' is none of"),
        (("sha256 =", "# sha256 ="), "thing: an archive needs both file and sha256"),
        (('"000', '"xyz'), r"source\.0\.sha256 \(thing\)"),
        (('holders = "somebody"', ""), r"source\.0\.holders \(thing\): Field required"),
        (("code =", "colour ="), r"source\.0\.colour \(thing\): Extra inputs"),
        (('file = "', 'file = "../'), r"source\.0\.file \(thing\)"),
        (("code =", 'role = "validation"\nprose ='), "thing: prose: packages are held out"),
        (("code =", "most = 0\ncode ="), r"source\.0\.most \(thing\)"),
        (("[[source]]", ENTRY + "[[source]]"), "thing is listed twice"),
        (("[[source]]", "[[source"), "line"),
    ],
)
def test_a_bad_list_is_refused(tmp_path: Path, change: tuple[str, str], error: str) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(ENTRY.replace(*change, 1))
    with pytest.raises(CorpusError, match=re.escape(str(file)) + ".*" + error):
        read_sources(file)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none.toml: No such file"):
        read_sources(tmp_path / "none.toml")


def test_the_list_holds_ten_archives_to_train_on_and_some_whole_packages_to_measure_on() -> None:
    sources = read_sources()
    archives = [s for s in sources if not s.installed]
    assert sum(s.role == "train" for s in archives) <= 10
    assert 2 <= sum(s.role == "validation" for s in archives) <= 3
    assert not NEVER & {s.name for s in sources}
    assert all(s.code for s in sources)


def test_every_source_is_in_the_notice(root: Path) -> None:
    notice = (root / "NOTICE").read_text(encoding="utf-8")
    for source in read_sources(LIST):
        if source.role != "validation":
            entry = re.search(
                rf"^  {source.name} {source.version}\b.*?(?=^  \S|^\S)", notice, re.M | re.S
            )
            assert entry, source.name
            words = " ".join(entry[0].split())
            assert source.licence in words, source.name
            assert source.holders in words, source.name


@pytest.mark.parametrize("licence", sorted(LICENCES))
def test_a_licence_s_mark_is_a_pattern(licence: str) -> None:
    assert re.compile(LICENCES[licence]).search("All rights reserved.") is None

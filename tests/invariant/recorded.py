"""Recorded typing of real people, replayed key by key as an editor's plugin would send it.

The recordings have the form of josephg/editing-traces: gzipped or plain JSON with `startContent`
and `txns`, each of a `time` and `patches` [position, deleted, inserted] in code points.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.invariant.typist import RandomTypist, Wish

PAUSE = timedelta(seconds=1)


@dataclass(frozen=True)
class RecordedKey:
    """How one patch changes the text before the cursor, and whether the person then paused.

    Where the times were not recorded, going on elsewhere in the text counts as a pause.
    """

    keep: int
    append: str
    pause: bool


@dataclass(frozen=True)
class _Patch:
    time: datetime
    position: int
    deleted: int
    inserted: str

    @property
    def cursor(self) -> int:
        return self.position + len(self.inserted)


def read(path: Path, most: int) -> Iterator[RecordedKey]:
    """The first `most` patches of a recording."""
    data = path.read_bytes()
    recording = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    patches = [
        _Patch(datetime.fromisoformat(txn["time"].replace("Z", "+00:00")), *patch)
        for txn in recording["txns"][:most]
        for patch in txn["patches"]
    ][:most]
    document: str = recording["startContent"]
    before = 0
    for patch, following in zip(patches, [*patches[1:], None], strict=True):
        begin, end = patch.position, patch.position + patch.deleted
        document = document[:begin] + patch.inserted + document[end:]
        keep = min(before, begin)
        yield RecordedKey(keep, document[keep : patch.cursor], _pauses(patch, following))
        before = patch.cursor


async def replay(typist: RandomTypist, keys: Iterable[RecordedKey], as_edit: bool) -> int:
    """Types all keys and compares the answer at each pause; returns the number of pauses."""
    pauses = 0
    for key in keys:
        pauses += key.pause
        await typist.replace(key.keep, key.append, as_edit, Wish(), compare=key.pause)
    return pauses


def _pauses(patch: _Patch, following: _Patch | None) -> bool:
    if following is None or following.time - patch.time >= PAUSE:
        return True
    return not following.position <= patch.cursor <= following.position + following.deleted

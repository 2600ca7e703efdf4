"""A truncated, damaged or hostile weights file is refused in one line, and never crashes."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from model.checkpoint import WEIGHTS_FILE, load
from model.errors import CheckpointError
from tests.tiny import save_tiny_checkpoint

Spoil = Callable[[Random, bytes], bytes]


def truncated(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content))]


def with_changed_bytes(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(changed))
        changed[at] = (changed[at] + random.randrange(1, 256)) % 256
    return bytes(changed)


def with_a_changed_header(random: Random, content: bytes) -> bytes:
    """Well-formed JSON with wrong types, shapes or places, or a wrong length of itself."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    entry = header[random.choice([name for name in header if name != "__metadata__"])]
    kind = random.randrange(5)
    if kind == 0:
        entry["dtype"] = random.choice(["F16", "BF16", "F64", "I8", "U64", "BOOL", "F8_E4M3", "X"])
    elif kind == 1:
        entry["shape"] = random.choice([[], [0], [2**62, 2**62], [-1], [*entry["shape"][::-1], 1]])
    elif kind == 2:
        entry["data_offsets"] = random.choice([[0, 2**63], [8, 4], [-8, 0], [0, 0], [2**70, 2**71]])
    elif kind == 3:
        header["__metadata__"] = random.choice([{}, {"network": "{}"}, {"fingerprint": "0"}])
    else:
        header["more"] = dict(entry)
    text = json.dumps(header).encode()
    claimed = (
        len(text) if random.random() < 0.8 else random.choice([0, 2**40, 2**63, len(text) * 2])
    )
    return struct.pack("<Q", claimed) + text + content[8 + length :]


@pytest.mark.parametrize("spoil", [truncated, with_changed_bytes, with_a_changed_header])
def test_a_spoilt_weights_file_is_refused_in_one_line(spoil: Spoil, tmp_path: Path) -> None:
    folder = save_tiny_checkpoint(tmp_path / "tiny")
    file = folder / WEIGHTS_FILE
    content = file.read_bytes()
    random = Random(7)
    for _ in range(150):
        file.write_bytes(spoil(random, content))
        with pytest.raises(CheckpointError) as refused:
            load(folder)
        assert "\n" not in str(refused.value)
        assert str(folder) in str(refused.value)

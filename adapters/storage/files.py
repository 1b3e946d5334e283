"""Files that are whole or not there, also after a power cut."""

import os
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta
from math import inf
from pathlib import Path

UNFINISHED = ".unfinished-"
"""How a file is named until it is whole."""


def write_whole(path: Path, data: bytes) -> None:
    """Replaces the file at once; only its owner may read it. Raises OSError, and leaves nothing then."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    _sync_folder(path.parent)


def names_in(folder: Path) -> set[str]:
    """The finished files."""
    if not folder.is_dir():
        return set()
    return {entry.name for entry in os.scandir(folder) if not entry.name.startswith(UNFINISHED)}


def remove(folder: Path, names: set[str]) -> int:
    for name in names:
        (folder / name).unlink(missing_ok=True)
    return len(names)


def names_older(folder: Path, age: timedelta, now: datetime, prefix: str = "") -> set[str]:
    """Files last written so long ago."""
    if not folder.is_dir():
        return set()
    oldest = (now - age).timestamp()
    return {e.name for e in os.scandir(folder) if e.name.startswith(prefix) and _written(e) < oldest}


def _written(file: os.DirEntry[str]) -> float:
    """When; now, where another process has just removed it."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return inf


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

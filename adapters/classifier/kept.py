"""Files of the cache folder: written whole or not at all, and one of a kind."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(file: Path) -> Iterator[BinaryIO]:
    """What is written takes the place of ``file`` at the end, or leaves no trace where it fails.

    Other files of the same suffix are stale then and are removed; a process that has one open reads on.
    """
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
    for other in file.parent.glob(f"*{file.suffix}"):
        if other != file:
            other.unlink(missing_ok=True)

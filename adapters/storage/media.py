"""Pictures as files: the original encrypted under a key of its own, the masked copy plain.

The keys stand in the database. The commit of a turn deletes them, and with its key an original is gone for
good, whatever becomes of the file.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, delete, insert, select

from adapters.database import Database
from adapters.storage.files import UNFINISHED, names_in, names_older, remove, write_whole
from adapters.storage.tables import picture_keys
from bot.domain.errors import NotFound, Unavailable
from bot.domain.ports import Clock
from bot.domain.reading import Picture
from bot.domain.vocabulary import PictureId

T = TypeVar("T")

UNUSED_FOR = timedelta(days=1)
"""An upload that no turn has ended by then is never going to be used."""

ABANDONED_AFTER = timedelta(hours=1)
"""Nobody is still writing a file then."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_NONCE = 12
_SUFFIX = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}


class FileMedia:
    """A ``MediaStore`` in ``folder``, which all processes share. Raises Unavailable where the disk fails."""

    def __init__(
        self, database: Database, folder: Path, clock: Clock, masked_for: timedelta = timedelta(days=180)
    ) -> None:
        self._db, self._clock, self._masked_for = database, clock, masked_for
        self._originals, self._masked = folder / "originals", folder / "masked"

    async def keep(self, picture: Picture, uploader: str) -> None:
        id, key = _checked(picture.id), AESGCM.generate_key(256)
        # The key comes first: a file without one is always at its end, never at its beginning.
        await self._db.write(_keep_key, id, uploader, key, self._clock())
        await _on_disk(lambda: write_whole(self._originals / id, _locked(picture, key)))

    async def has(self, id: PictureId) -> bool:
        if not _ID.fullmatch(id):
            return False
        return await self._db.read(_key, id) is not None or any(
            path.exists() for path in self._masked_paths(id).values()
        )

    async def load(self, id: PictureId) -> Picture:
        key = await self._db.read(_key, _checked(id))
        if key is None:
            raise NotFound("This picture is no longer there.")
        data = await _on_disk((self._originals / id).read_bytes)
        try:
            return _unlocked(id, data, key)
        except (InvalidTag, ValueError) as error:  # swapped or damaged; cut off
            raise NotFound("This picture is no longer there.") from error

    async def keep_masked(self, id: PictureId, data: bytes, mime: str) -> None:
        path = self._masked / (_checked(id) + _SUFFIX[mime])
        await _on_disk(lambda: write_whole(path, data))

    async def masked(self, id: PictureId) -> tuple[bytes, str]:
        paths = self._masked_paths(_checked(id))
        return await _on_disk(lambda: _first(paths))

    async def sweep(self) -> int:
        now = self._clock()
        await self._db.write(_forget_keys, now - UNUSED_FOR)
        files = await _on_disk(lambda: names_in(self._originals))  # before the keys: new ones may come
        orphans = files - await self._db.read(_known)
        return await _on_disk(lambda: self._remove(orphans, now))

    def _masked_paths(self, id: PictureId) -> dict[str, Path]:
        return {mime: self._masked / (id + suffix) for mime, suffix in _SUFFIX.items()}

    def _remove(self, orphans: set[str], now: datetime) -> int:
        outdated = names_older(self._masked, self._masked_for, now)
        for folder in (self._originals, self._masked):
            remove(folder, names_older(folder, ABANDONED_AFTER, now, prefix=UNFINISHED))
        return remove(self._originals, orphans) + remove(self._masked, outdated)


def _checked(id: PictureId) -> PictureId:
    """An id becomes a file's name: nothing else may pass for one."""
    if not _ID.fullmatch(id):
        raise NotFound("This picture is not there.")
    return id


def _locked(picture: Picture, key: bytes) -> bytes:
    head = {"mime": picture.mime, "width": picture.width, "height": picture.height}
    nonce = secrets.token_bytes(_NONCE)
    plain = json.dumps(head).encode() + b"\n" + picture.data
    return nonce + AESGCM(key).encrypt(nonce, plain, picture.id.encode())


def _unlocked(id: PictureId, data: bytes, key: bytes) -> Picture:
    plain = AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], id.encode())
    head, _, content = plain.partition(b"\n")
    return Picture(id=id, data=content, **json.loads(head))


def _first(paths: dict[str, Path]) -> tuple[bytes, str]:
    for mime, path in paths.items():
        if path.exists():
            return path.read_bytes(), mime
    raise FileNotFoundError


async def _on_disk(work: Callable[[], T]) -> T:
    """Off the event loop, and with the errors that people see."""
    with _translated():
        return await asyncio.to_thread(work)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("This picture is not there.") from error
    except OSError as error:
        raise Unavailable("Pictures cannot be kept at the moment; please try again.") from error


# --- The keys -----------------------------------------------------------------------------------------


def _keep_key(tx: Connection, id: str, uploader: str, key: bytes, at: datetime) -> None:
    tx.execute(delete(picture_keys).where(picture_keys.c.id == id))  # this may be the second try
    tx.execute(insert(picture_keys).values(id=id, uploader=uploader, key=key, created_at=at))


def _key(tx: Connection, id: str) -> bytes | None:
    found: bytes | None = tx.scalar(select(picture_keys.c.key).where(picture_keys.c.id == id))
    return found


def _known(tx: Connection) -> set[str]:
    return set((tx.scalars(select(picture_keys.c.id))).all())


def _forget_keys(tx: Connection, before: datetime) -> None:
    tx.execute(delete(picture_keys).where(picture_keys.c.created_at < before))

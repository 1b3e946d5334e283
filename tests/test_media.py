"""Pictures on disk: encrypted until their turn ends, masked after it."""

import os
import resource
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from adapters.database import Database
from adapters.storage import migrate
from adapters.storage.media import FileMedia
from adapters.storage.tables import picture_keys
from bot.domain.errors import NotFound, Unavailable
from bot.domain.reading import Picture
from bot.domain.vocabulary import PictureId


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/media.db"
    await migrate.upgrade(url)
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def media(database: Database, folder: Path, clock: Clock) -> FileMedia:
    return FileMedia(database, folder, clock, masked_for=timedelta(days=30))


def picture(data: bytes = b"the secret pixels") -> Picture:
    return Picture(PictureId(secrets.token_urlsafe(16)), data, "image/png", 30, 20)


async def end_turn(database: Database, *ids: PictureId) -> None:
    """What the commit of a turn does to the pictures that it has seen."""
    await database.write(lambda tx: tx.execute(delete(picture_keys).where(picture_keys.c.id.in_(ids))))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_picture_comes_back_as_it_was_kept(media: FileMedia) -> None:
    kept = picture()
    await media.keep(kept, "u1")
    assert await media.load(kept.id) == kept
    assert await media.has(kept.id)
    await media.keep(kept, "u1")
    assert await media.load(kept.id) == kept


async def test_nobody_can_read_the_files(media: FileMedia, folder: Path, tmp_path: Path) -> None:
    kept = picture()
    await media.keep(kept, "u1")
    (file,) = files(folder)
    assert b"secret pixels" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


async def test_with_its_turn_the_original_is_gone(media: FileMedia, database: Database, folder: Path) -> None:
    mine, other = picture(), picture()
    await media.keep(mine, "u1")
    await media.keep(other, "u2")
    await end_turn(database, mine.id)
    with pytest.raises(NotFound):
        await media.load(mine.id)
    assert await media.sweep() == 1
    assert len(files(folder)) == 1
    assert await media.load(other.id) == other


async def test_one_file_cannot_stand_in_for_another(media: FileMedia, folder: Path) -> None:
    mine, other = picture(b"mine"), picture(b"other")
    await media.keep(mine, "u1")
    await media.keep(other, "u2")
    originals = folder / "originals"
    os.replace(originals / other.id, originals / mine.id)
    with pytest.raises(NotFound):
        await media.load(mine.id)
    with pytest.raises(NotFound):
        await media.load(other.id)


async def test_a_damaged_file_is_no_picture(media: FileMedia, folder: Path) -> None:
    kept = picture()
    await media.keep(kept, "u1")
    (file,) = files(folder)
    for damaged in (b"", b"short", file.read_bytes()[:-1]):
        file.write_bytes(damaged)
        with pytest.raises(NotFound):
            await media.load(kept.id)


async def test_uploads_never_used_go_after_a_day(media: FileMedia, clock: Clock, folder: Path) -> None:
    kept = picture()
    await media.keep(kept, "u1")
    assert await media.sweep() == 0
    clock.now += timedelta(days=1, minutes=1)
    assert await media.sweep() == 1
    assert files(folder) == []


async def test_masked_copies_stay_as_long_as_the_shop_wants(
    media: FileMedia, database: Database, clock: Clock
) -> None:
    kept = picture()
    await media.keep(kept, "u1")
    await media.keep_masked(kept.id, b"black boxes", "image/jpeg")
    await end_turn(database, kept.id)
    await media.sweep()
    assert await media.has(kept.id)
    assert await media.masked(kept.id) == (b"black boxes", "image/jpeg")
    clock.now += timedelta(days=31)
    assert await media.sweep() == 1
    with pytest.raises(NotFound):
        await media.masked(kept.id)


async def test_what_a_crash_left_half_written_is_cleared_away(
    media: FileMedia, clock: Clock, folder: Path
) -> None:
    await media.keep(picture(), "u1")
    half = folder / "originals" / ".unfinished-x"
    half.write_bytes(b"half")
    await media.sweep()
    assert half.exists()
    clock.now += timedelta(hours=2)
    await media.sweep()
    assert not half.exists()


@pytest.mark.parametrize(
    "id", ["../media.db", "..", "", "a/b", "a\0b", "/etc/passwd", "a.jpg", "x" * 200, "图"]
)
async def test_an_id_is_never_a_path(media: FileMedia, id: str) -> None:
    assert not await media.has(PictureId(id))
    with pytest.raises(NotFound):
        await media.load(PictureId(id))
    with pytest.raises(NotFound):
        await media.masked(PictureId(id))
    with pytest.raises(NotFound):
        await media.keep_masked(PictureId(id), b"x", "image/png")


async def test_unknown_pictures(media: FileMedia) -> None:
    with pytest.raises(NotFound):
        await media.load(picture().id)
    with pytest.raises(NotFound):
        await media.masked(picture().id)
    assert await media.sweep() == 0


async def test_a_full_disk_leaves_nothing_half(media: FileMedia, folder: Path) -> None:
    await media.keep(picture(), "u1")
    before = files(folder)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limit[1]))  # Python ignores the signal: writing fails
    try:
        with pytest.raises(Unavailable):
            await media.keep(picture(b"x" * 1_000_000), "u1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert files(folder) == before

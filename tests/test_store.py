"""The store over SQLite and over PostgreSQL."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.database import Database, read_url
from adapters.storage import migrate
from adapters.storage.durability import file_system
from adapters.storage.sql import SqlStore
from adapters.storage.tables import audit, effects, messages, metadata, picture_keys, sessions
from bot.domain.errors import BadSettings, Unavailable
from bot.domain.ports import Store
from bot.domain.session import Owner
from bot.domain.vocabulary import PictureId, SessionId
from tests import servers
from tests.contracts.store import (
    DONE,
    LEASE,
    StoreContract,
    address,
    claim,
    claim_effect,
    confirm_refund,
    draft,
    message,
    next_reply,
    talk,
    texts,
)


def store_on(database: Database) -> SqlStore:
    numbers = count(1)
    return SqlStore(database, lambda: datetime.now(UTC), lambda: f"{id(database)}-{next(numbers)}")


def differences(connection: Connection) -> object:
    options = {"compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


class SqlContract(StoreContract):
    """What holds of SQL only. ``url`` is an empty database."""

    @pytest.fixture
    async def database(self, url: str) -> AsyncIterator[Database]:
        database = Database(url)
        yield database
        await database.close()

    @pytest.fixture
    async def store(self, database: Database) -> Store:
        return store_on(database)

    @pytest.fixture
    async def other(self, url: str) -> AsyncIterator[Store]:
        database = Database(url)
        yield store_on(database)
        await database.close()

    async def test_migrations_lead_to_the_tables(self, database: Database) -> None:
        assert await database.read(differences) == []

    async def test_originals_end_with_their_turn(self, database: Database, store: Store) -> None:
        session = await store.open(address(), None)
        rows = [
            {"id": id, "uploader": "u", "key": b"k", "created_at": datetime.now(UTC)} for id in ("p1", "p2")
        ]
        await database.write(lambda tx: tx.execute(insert(picture_keys), rows))
        await store.accept(session, message("k1", pictures=("p1",)))
        claimed = await claim(store, session)
        await store.commit(claimed.ticket, draft(claimed, seen=(PictureId("p1"),)))
        left = await database.read(lambda tx: tx.scalars(select(picture_keys.c.id)))
        assert left.all() == ["p2"]

    async def test_nothing_waits_for_a_clock_that_jumped_back(
        self, database: Database, store: Store, other: Store
    ) -> None:
        session = await store.open(address(), None)
        effect = await confirm_refund(store, session)
        await talk(store, session, "k1")
        await store.accept(session, message("k2"))
        await claim(store, session)
        await claim_effect(store, effect)
        ahead = datetime.now(UTC) + timedelta(hours=1)
        leases = [update(table).values(lease_until=ahead) for table in (sessions, effects)]
        delays = [update(table).values(next_at=ahead) for table in (messages, effects)]
        await database.write(lambda tx: [tx.execute(statement) for statement in (*leases, *delays)])
        assert await other.unanswered(9) == [session]
        assert await other.due_effects(9) == [effect]
        assert await other.undelivered(9) == [session]
        await claim(other, session)
        await claim_effect(other, effect)
        assert (await next_reply(other, session)).tries == 0

    async def test_what_matters_is_audited_without_words(self, database: Database, store: Store) -> None:
        session = await store.open(address(), None)
        refund = await claim_effect(store, await confirm_refund(store, session))
        for _ in range(2):  # the second as if the first one's answer had got lost
            await store.settle_effect(refund, DONE, None)
            await store.take_over(session, "小王")
        await store.close(session, "小王")
        lines = (await database.read(lambda tx: tx.execute(select(audit).order_by(audit.c.id)))).all()
        assert [(line.actor, line.event) for line in lines] == [
            ("bot", "confirmed"),
            ("bot", "performed"),
            ("小王", "owner"),
            ("小王", "owner"),
        ]
        assert lines[2].detail == {"before": Owner.BOT, "after": Owner.HUMAN}


@pytest.fixture(scope="module")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "store.db"
    await migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


class TestSqlite(SqlContract):
    @pytest.fixture
    def url(self, migrated: Path, tmp_path: Path) -> str:
        return f"sqlite:///{shutil.copy(migrated, tmp_path)}"

    async def test_it_is_durable(self, database: Database) -> None:
        assert await database.read(lambda tx: tx.scalar(text("PRAGMA journal_mode"))) == "wal"
        assert await database.read(lambda tx: tx.scalar(text("PRAGMA synchronous"))) == 2

    async def test_a_reader_does_not_wait_for_a_writer(self, database: Database, store: Store) -> None:
        writing, read = threading.Event(), threading.Event()
        writer = asyncio.create_task(database.write(lambda _: (writing.set(), read.wait())))
        await asyncio.to_thread(writing.wait)
        assert await store.unanswered(9) == []
        assert not writer.done()
        read.set()
        await writer


@pytest.mark.full
class TestPostgresql(SqlContract):
    @pytest.fixture
    async def url(self, server: str) -> str:
        await migrate.upgrade(server)
        await empty(server)
        return server

    async def test_dead_connections_are_survived(
        self, database: Database, store: Store, other: Store
    ) -> None:
        session = await store.open(address(), None)

        async def talk_on() -> None:
            for number in range(30):
                await talk(store, session, f"k{number}", f"答{number}")

        talking = asyncio.create_task(talk_on())
        while not talking.done():
            await kill_connections(database, other)
            await asyncio.sleep(0.02)
        await talking
        lines = await texts(store, session)
        assert lines == [line for number in range(30) for line in ("你好", f"答{number}")]

    async def test_a_mistake_of_ours_is_not_called_an_outage(self, database: Database) -> None:
        with pytest.raises(DBAPIError):
            await database.write(lambda tx: tx.execute(text("CREATE DATABASE inside_a_transaction")))

    async def test_no_statement_runs_for_ever(self, database: Database) -> None:
        assert await database.read(lambda tx: tx.scalar(text("SHOW statement_timeout"))) == "10s"

    async def test_it_complains_of_settings_that_lose_messages(self, store: Store) -> None:
        complaints = await store.complaints()
        assert len(complaints) == 3
        assert any("fsync" in complaint for complaint in complaints)


async def empty(url: str) -> None:
    database = Database(url)
    tables = ", ".join(metadata.tables)
    await database.write(lambda tx: tx.execute(text(f"TRUNCATE {tables}")))
    await database.close()


async def kill_connections(database: Database, other: Store) -> None:
    """All but the one that kills."""
    everyone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    killer = Database(database.url.render_as_string(hide_password=False))
    await killer.write(lambda tx: tx.execute(text(f"{everyone} AND backend_type = 'client backend'")))
    await killer.close()


# migrations


async def test_many_may_upgrade_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/store.db"
    assert not await migrate.is_current(url)
    await asyncio.gather(*(migrate.upgrade(url) for _ in range(6)))
    assert await migrate.is_current(url)


@pytest.mark.full
async def test_many_may_upgrade_a_postgresql_at_once(server: str) -> None:
    engine = create_async_engine(read_url(server), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("CREATE DATABASE new"))
    await engine.dispose()
    url = server.replace("/postgres?", "/new?")
    assert not await migrate.is_current(url)
    await asyncio.gather(*(migrate.upgrade(url) for _ in range(4)))
    assert await migrate.is_current(url)


# faults


async def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"postgresql://bot@/postgres?host={tmp_path}", patience=0.1)
    with pytest.raises(Unavailable) as caught:
        await store_on(database).accept(SessionId("s1"), message("k1"))
    assert caught.value.__cause__ is not None
    await database.close()


async def test_a_database_without_tables_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/store.db")
    with pytest.raises(Unavailable):
        await store_on(database).claim(SessionId("s1"), "w", LEASE)
    await database.close()


@pytest.mark.parametrize("url", ["mysql://localhost/db", "store.db", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(BadSettings):
        Database(url)


def test_the_file_system_is_known(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\nserver:/x /mnt nfs4 rw 0 0\ntmpfs /mnt/fast tmpfs rw 0 0\n")
    assert file_system(Path("/mnt/store.db"), mounts) == "nfs4"
    assert file_system(Path("/mnt/fast/store.db"), mounts) == "tmpfs"
    assert file_system(Path("/mnter/store.db"), mounts) == "ext4"
    assert file_system(Path("/x"), tmp_path / "none") == ""

"""SQLite: one thread writes for the whole process, a few read.

Transactions that wait are committed together, each under a savepoint of its own: the disk is waited for once.
"""

import asyncio
import fcntl
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import URL, Connection, create_engine, event, exc

P = ParamSpec("P")
T = TypeVar("T")

READERS = 2

QUEUES = 10.0
"""Seconds for which a transaction waits for those before it."""

_TOGETHER = 32
"""Transactions that are committed together at most."""

_LOOKS_AGAIN = 0.001
"""Seconds between two looks for another process's end of writing."""


class Reading:
    """Transactions that only look, side by side, each at one state of the database."""

    def __init__(self, url: URL, patience: float) -> None:
        self._connections = _Connections(url, READERS, patience)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """One transaction, once. Who gives up waiting for one that has not begun takes it back."""
        begun = self._threads.submit(self._look, lambda tx: work(tx, *args, **kwargs))
        return await asyncio.wrap_future(begun)

    def _look(self, work: Callable[[Connection], T]) -> T:
        with self._connections.transaction("BEGIN") as tx:
            return work(tx)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._connections.close()


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A transaction that waits. ``by``: the monotonic time at which it is no longer wanted."""

    work: Callable[[Connection], Any]
    answer: asyncio.Future[Any]
    by: float


class Writing:
    """Transactions that change something, in the order in which they are asked for."""

    def __init__(self, url: URL, patience: float) -> None:
        self._connections = _Connections(url, 1, patience)
        self._turn = _Turn(url, patience)
        self._waiting: deque[_Job] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """One transaction, once. Who gives up waiting for one that has not begun takes it back."""
        loop = asyncio.get_running_loop()
        job = _Job(lambda tx: work(tx, *args, **kwargs), loop.create_future(), monotonic() + QUEUES)
        self._waiting.append(job)
        self._thread.submit(self._take_some, loop)
        return cast(T, await job.answer)

    def _take_some(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = [self._waiting.popleft() for _ in range(min(len(self._waiting), _TOGETHER))]
        wanted = [job for job in jobs if not job.answer.done()]
        if wanted:
            outcomes = self._outcomes(wanted)
            loop.call_soon_threadsafe(_tell, wanted, outcomes)

    def _outcomes(self, jobs: Sequence[_Job]) -> list[Any]:
        """What became of each: its result, or the exception that undid it."""
        try:
            return self._together(jobs)
        except Exception as error:  # whatever it was, nothing of it is kept
            return [error] if len(jobs) == 1 else [self._outcomes([job])[0] for job in jobs]

    def _together(self, jobs: Sequence[_Job]) -> list[Any]:
        if monotonic() > jobs[0].by:
            raise TimeoutError("too many transactions are waiting")
        # one that reads first and writes later would fail under a second process: lock at once
        with self._turn, self._connections.transaction("BEGIN IMMEDIATE") as tx:
            return [jobs[0].work(tx)] if len(jobs) == 1 else [_apart(tx, job) for job in jobs]

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._connections.close()
        self._turn.close()


def _apart(tx: Connection, job: _Job) -> Any:
    """The job's result, or the exception that undid this job alone."""
    _do(tx, "SAVEPOINT job")
    try:
        outcome = job.work(tx)
    except Exception as error:  # it goes to whoever asked for it
        _do(tx, "ROLLBACK TO job")  # fails where the database has undone everything: then nothing is kept
        outcome = error
    _do(tx, "RELEASE job")
    return outcome


def _tell(jobs: Sequence[_Job], outcomes: Sequence[Any]) -> None:
    for job, outcome in zip(jobs, outcomes, strict=True):
        if job.answer.done():  # nobody waits for it any more
            continue
        if isinstance(outcome, Exception):
            job.answer.set_exception(outcome)
        else:
            job.answer.set_result(outcome)


class _Connections:
    """One for each thread, kept from transaction to transaction until one fails."""

    def __init__(self, url: URL, threads: int, patience: float) -> None:
        self._engine = create_engine(url, pool_size=threads, max_overflow=0)
        event.listen(self._engine, "connect", lambda raw, _: _prepare(raw, patience))
        self._kept: dict[int, Connection] = {}

    @contextmanager
    def transaction(self, begin: str) -> Iterator[Connection]:
        thread = threading.get_ident()
        connection = self._kept.pop(thread, None) or self._engine.connect()
        try:
            with connection.begin():
                _do(connection, begin)  # as an event's listener it would be asked at every statement
                yield connection
        except BaseException:
            connection.close()
            raise
        self._kept[thread] = connection

    def close(self) -> None:
        """When the threads have ended."""
        for connection in self._kept.values():
            connection.close()
        self._engine.dispose()


class _Turn:
    """The writers of several processes take turns.

    SQLite's own way is to look again after ever longer pauses, a tenth of a second in the end: while one
    process writes all the time the others hardly ever look at the right moment.
    """

    def __init__(self, url: URL, patience: float) -> None:
        file = Path(f"{url.database}.turn")
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._patience = file.open("ab"), patience

    def __enter__(self) -> None:
        until = monotonic() + self._patience
        while not self._is_mine():
            if monotonic() > until:
                raise TimeoutError("another process writes for too long")
            sleep(_LOOKS_AGAIN)

    def _is_mine(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        self._file.close()


def _do(tx: Connection, statement: str) -> None:
    """On the driver's own connection, past all that SQLAlchemy does for a statement."""
    raw = tx.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    try:
        raw.execute(statement)
    except sqlite3.OperationalError as error:
        raise exc.OperationalError(statement, None, error) from error


def _prepare(connection: Any, patience: float) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in (
        f"busy_timeout = {round(patience * 1000)}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")

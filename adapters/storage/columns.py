"""Column types and SQL expressions that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import BindParameter, ColumnElement, DateTime, Dialect, Float, Text, bindparam, literal, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""A lease that nobody holds ended then."""

AT_MOST = timedelta(seconds=90)
"""Longer than any lease of a session or an effect, and than anything is put off at once."""


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC. SQLite has no zones: there it is text, without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Words(TypeDecorator[str]):
    """Text from outside. PostgreSQL takes no NUL: the replacement character stands for it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value.replace("\0", "\ufffd") if value else value


class Document(TypeDecorator[Any]):
    """A value of the domain as JSON text. ``kind`` is whatever pydantic can validate."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else self._adapter.dump_json(value, round_trip=True).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else self._adapter.validate_json(value)


def seconds(name: str) -> BindParameter[float]:
    """A distance of ``from_now`` that is given when the statement is executed."""
    return bindparam(name, type_=Float)


class from_now(FunctionElement[datetime]):
    """The time that far from now, by the clock of the database: leases must not hang on workers' clocks.

    Without a distance: now.
    """

    inherit_cache = True
    type = UtcTime()

    def __init__(self, distance: BindParameter[float] | None = None) -> None:
        super().__init__(*(() if distance is None else (distance,)))


def over(until: ColumnElement[datetime], at_most: timedelta = AT_MOST) -> ColumnElement[bool]:
    """Whether a lease or a delay has ended.

    One that ends later than any is given for was given before the clock jumped back: nobody waits for that.
    """
    return or_(until <= from_now(), until > from_now(literal(at_most.total_seconds(), Float)))


@compiles(from_now, "postgresql")
def _postgresql(element: from_now, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + make_interval(secs => {seconds}))" if seconds else "clock_timestamp()"


@compiles(from_now, "sqlite")
def _sqlite(element: from_now, compiler: SQLCompiler, **options: Any) -> str:
    # to the millisecond, in the very spelling that SQLAlchemy gives to times on SQLite: text compares
    seconds = compiler.process(element.clauses, **options)
    distance = f", {seconds} || ' seconds'" if seconds else ""
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now'{distance})"

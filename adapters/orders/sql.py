"""The SQL order store: the order system of a shop that has none of its own, and of the demo."""

from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from adapters.database import Database
from adapters.migrations import History
from adapters.orders import tables
from adapters.orders.actions import perform
from adapters.orders.delivery import with_delivery_time
from adapters.orders.file import OrderFile, is_broken, plain
from adapters.orders.load import load
from adapters.orders.snapshot import CUSTOMER, SNAPSHOT
from bot.domain.base import Model
from bot.domain.errors import BadOrderFile, NotFound
from bot.domain.message import Address
from bot.domain.ports import Clock, Performed
from bot.domain.records import (
    Charge,
    Coupon,
    Customer,
    Invoice,
    Order,
    Product,
    Records,
    Refund,
    Subscription,
)
from bot.domain.session import Action
from bot.domain.vocabulary import ActionId, CustomerId

_HISTORY = History("adapters.orders:migrations", tables.VERSION_TABLE)

_M = TypeVar("_M", bound=Model)

_TABLES: dict[type[Model], sa.Table] = {
    Customer: tables.customers,
    Order: tables.orders,
    Subscription: tables.subscriptions,
    Charge: tables.charges,
    Refund: tables.refunds,
    Invoice: tables.invoices,
    Coupon: tables.coupons,
    Product: tables.products,
}


def _select(model: type[Model], which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    table = _TABLES[model]
    columns = [table.c[name] for name in model.model_fields if name in table.c]
    return sa.select(*columns).where(which).order_by(*table.primary_key)


_MY_IDENTITIES = sa.select(tables.identities.c.channel, tables.identities.c.user).where(
    tables.identities.c.customer == CUSTOMER
)


class SqlOrders:
    """``OrderSystem`` in SQLite or PostgreSQL; ``zone`` is the shop's. Every verb raises Unavailable."""

    def __init__(self, url: str, zone: ZoneInfo, clock: Clock) -> None:
        self._db = Database(url)
        self._zone = zone
        self._clock = clock

    async def migrate(self) -> None:
        """Brings the database up to date; makes it where there is none."""
        await _HISTORY.upgrade(self._db)

    async def is_current(self) -> bool:
        """Whether no migration is missing."""
        return await _HISTORY.is_current(self._db)

    async def close(self) -> None:
        await self._db.close()

    async def ping(self) -> None:
        await self._db.read(lambda tx: tx.execute(sa.select(1)))

    async def customer(self, address: Address) -> CustomerId | None:
        if is_broken(address.user):
            return None
        known = tables.identities.c
        whose = sa.select(known.customer).where(known.channel == address.channel, known.user == address.user)
        found = await self._db.read(lambda tx: tx.scalar(whose))
        return CustomerId(found) if found else None

    async def records(self, customer: CustomerId | None) -> Records:
        if customer is None or is_broken(customer):
            return Records()
        return await self._db.read(self._records, customer)

    async def perform(self, customer: CustomerId, action: Action, key: ActionId) -> Performed:
        """Raises also BadRequest where the key was used for something else."""
        if any(map(is_broken, (customer, key, action.target, action.address or "", action.email or ""))):
            return Performed("refused", "unknown")
        return await self._db.write(perform, customer, action, key, self._clock())

    async def load(self, file: OrderFile, *, afresh: bool = False) -> None:
        """Takes in an order file, all of it or nothing. Raises BadOrderFile.

        ``afresh``: whatever the file's customers had before goes first.
        """
        try:
            await self._db.write(load, file, afresh)
        except IntegrityError as error:
            # the file's own references were checked: one of the store has lost its other end
            raise BadOrderFile(
                "a record goes to another customer while records of the first one still refer to it"
            ) from error

    async def products(self) -> tuple[Product, ...]:
        return await self._db.read(self._all, Product, sa.true())

    async def show(self, number: str) -> dict[str, Any]:
        """One record of any kind by its number, spelt as in the order file. Raises NotFound."""
        record = None if is_broken(number) else await self._db.read(self._by_number, number)
        if record is None:
            raise NotFound("There is no record of that number.")
        return plain(record, self._zone)

    def _records(self, tx: sa.Connection, customer: CustomerId) -> Records:
        text = tx.scalar(SNAPSHOT[tx.dialect.name], {"customer": customer})
        records = Records.model_validate_json(text, context={"zone": self._zone})
        if records.customer is None:
            return Records()
        orders = tuple(with_delivery_time(order) for order in records.orders)
        return records.model_copy(update={"orders": orders})

    def _person(self, tx: sa.Connection, customer: str) -> Customer | None:
        found = self._all(tx, Customer, tables.customers.c.id == customer)
        if not found:
            return None
        names = tx.execute(_MY_IDENTITIES, {"customer": customer})
        return found[0].model_copy(update={"identities": dict(sorted((r.channel, r.user) for r in names))})

    def _by_number(self, tx: sa.Connection, number: str) -> Model | None:
        person = self._person(tx, number)
        if person is not None:
            return person
        for model, table in _TABLES.items():
            found = self._all(tx, model, table.primary_key.columns[0] == number)
            if found:
                return found[0]
        sent = self._all(tx, Order, tables.orders.c.tracking_no == number)
        return sent[0] if sent else None

    def _all(self, tx: sa.Connection, model: type[_M], which: sa.ColumnElement[bool]) -> tuple[_M, ...]:
        return self._read(model, tx.execute(_select(model, which)))

    def _read(self, model: type[_M], rows: sa.CursorResult[Any]) -> tuple[_M, ...]:
        context = {"zone": self._zone}
        return tuple(model.model_validate(dict(row), context=context) for row in rows.mappings())

"""The SQL order store: the order system of a shop that has none of its own, and of the demo."""

from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.orders import tables
from adapters.orders.actions import perform
from adapters.orders.database import Database
from adapters.orders.delivery import with_delivery_time
from adapters.orders.file import KEYS, OrderFile, is_broken, plain
from adapters.orders.load import load
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

_M = TypeVar("_M", bound=Model)

_MODELS: dict[str, type[Model]] = {
    "customers": Customer,
    "orders": Order,
    "subscriptions": Subscription,
    "charges": Charge,
    "refunds": Refund,
    "invoices": Invoice,
    "coupons": Coupon,
    "products": Product,
}


class SqlOrders:
    """``OrderSystem`` over SQLite or PostgreSQL; ``zone`` is the shop's. Every verb raises Unavailable."""

    def __init__(self, url: str, zone: ZoneInfo, clock: Clock) -> None:
        self._database = Database(url)
        self._zone = zone
        self._clock = clock

    async def migrate(self) -> None:
        """Brings the database up to date; creates it where there is none."""
        await self._database.migrate()

    async def is_current(self) -> bool:
        """Whether no migration is missing."""
        return await self._database.is_current()

    async def close(self) -> None:
        await self._database.close()

    async def ping(self) -> None:
        async with self._database.reading() as connection:
            await connection.execute(sa.select(1))

    async def customer(self, address: Address) -> CustomerId | None:
        if is_broken(address.user):
            return None
        known = tables.identities.c
        whose = sa.select(known.customer).where(known.channel == address.channel, known.user == address.user)
        async with self._database.reading() as connection:
            found = await connection.scalar(whose)
        return CustomerId(found) if found else None

    async def records(self, customer: CustomerId | None) -> Records:
        if customer is None or is_broken(customer):
            return Records()
        async with self._database.reading() as connection:
            return await self._records(connection, customer)

    async def perform(self, customer: CustomerId, action: Action, key: ActionId) -> Performed:
        """Raises also BadRequest where the key was used for something else."""
        if any(map(is_broken, (customer, key, action.target, action.address or "", action.email or ""))):
            return Performed("refused", "unknown")
        async with self._database.writing() as connection:
            return await perform(connection, customer, action, key, self._clock())

    async def load(self, file: OrderFile) -> None:
        """Takes in an order file, all of it or nothing. Raises BadOrderFile."""
        try:
            async with self._database.writing() as connection:
                await load(connection, file)
        except IntegrityError as error:
            # the file's own references were checked: one of the store has lost its other end
            raise BadOrderFile(
                "a record goes to another customer while records of the first one still refer to it"
            ) from error

    async def products(self) -> tuple[Product, ...]:
        async with self._database.reading() as connection:
            return await self._all(connection, Product, tables.products, sa.true())

    async def show(self, number: str) -> dict[str, Any]:
        """One record of any kind by its number, spelt as in the order file. Raises NotFound."""
        if not is_broken(number):
            async with self._database.reading() as connection:
                record = await self._by_number(connection, number)
            if record is not None:
                return plain(record, self._zone)
        raise NotFound("There is no record of that number.")

    async def _records(self, connection: AsyncConnection, customer: CustomerId) -> Records:
        person = await self._person(connection, customer)
        if person is None:
            return Records()
        charge, order = tables.charges.c, tables.orders.c
        my_charges = sa.select(charge.charge_no).where(charge.customer == customer)
        my_orders = sa.select(order.order_no).where(order.customer == customer)
        orders = await self._all(connection, Order, tables.orders, order.customer == customer)
        return Records(
            customer=person,
            orders=tuple(with_delivery_time(each) for each in orders),
            subscriptions=await self._all(
                connection, Subscription, tables.subscriptions, tables.subscriptions.c.customer == customer
            ),
            charges=await self._all(connection, Charge, tables.charges, charge.customer == customer),
            refunds=await self._all(
                connection, Refund, tables.refunds, tables.refunds.c.charge_no.in_(my_charges)
            ),
            invoices=await self._all(
                connection, Invoice, tables.invoices, tables.invoices.c.order_no.in_(my_orders)
            ),
            coupons=await self._all(
                connection, Coupon, tables.coupons, tables.coupons.c.customer == customer
            ),
        )

    async def _person(self, connection: AsyncConnection, customer: str) -> Customer | None:
        person, known = tables.customers.c, tables.identities.c
        found = await self._all(connection, Customer, tables.customers, person.id == customer)
        if not found:
            return None
        names = await connection.execute(
            sa.select(known.channel, known.user).where(known.customer == customer).order_by(known.channel)
        )
        return found[0].model_copy(update={"identities": {row.channel: row.user for row in names}})

    async def _by_number(self, connection: AsyncConnection, number: str) -> Model | None:
        person = await self._person(connection, number)
        if person is not None:
            return person
        for section, key in KEYS.items():
            table = tables.metadata.tables[section]
            found = await self._all(connection, _MODELS[section], table, table.c[key] == number)
            if found:
                return found[0]
        sent = await self._all(connection, Order, tables.orders, tables.orders.c.tracking_no == number)
        return sent[0] if sent else None

    async def _all(
        self, connection: AsyncConnection, model: type[_M], table: sa.Table, which: sa.ColumnElement[bool]
    ) -> tuple[_M, ...]:
        columns = [table.c[name] for name in model.model_fields if name in table.c]
        rows = await connection.execute(sa.select(*columns).where(which).order_by(*table.primary_key))
        context = {"zone": self._zone}
        return tuple(model.model_validate(dict(row), context=context) for row in rows.mappings())

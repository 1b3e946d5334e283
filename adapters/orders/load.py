"""Puts an order file into the store: all of it, or nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from adapters.orders import tables
from adapters.orders.file import KEYS, OrderFile, refuse
from bot.domain.records import Order

_AT_ONCE = 1000
"""Rows or values of one statement."""

_T = TypeVar("_T")
_Owners = dict[str, str]


def load(tx: sa.Connection, file: OrderFile, afresh: bool = False) -> None:
    """Raises BadOrderFile where a record refers to what is neither in the file nor in the store.

    ``afresh``: whatever the file's customers had before goes first.
    """
    if afresh:
        _forget(tx, [customer.id for customer in file.customers])
    refuse(_dangling(tx, file))
    refuse(_taken_identities(tx, file))
    for section in KEYS:
        _upsert(tx, tables.metadata.tables[section], [row(r) for r in getattr(file, section)])
    _replace_identities(tx, file)


def row(record: Any) -> dict[str, Any]:
    """A record as its table holds it."""
    values: dict[str, Any] = record.model_dump(mode="json", exclude={"identities"})
    if isinstance(record, Order):
        values["tracking_no"] = record.shipment.tracking_no if record.shipment else None
    return values


def _forget(tx: sa.Connection, customers: list[str]) -> None:
    """Removes these customers' records, but not the customers."""
    charge, order = tables.charges.c, tables.orders.c
    for some in _slices(customers):
        charges = sa.select(charge.charge_no).where(charge.customer.in_(some))
        orders = sa.select(order.order_no).where(order.customer.in_(some))
        tx.execute(tables.refunds.delete().where(tables.refunds.c.charge_no.in_(charges)))
        tx.execute(tables.invoices.delete().where(tables.invoices.c.order_no.in_(orders)))
        for table in (tables.coupons, tables.charges, tables.subscriptions, tables.orders):
            tx.execute(table.delete().where(table.c.customer.in_(some)))


def _upsert(tx: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    insert = insert_postgresql if tx.dialect.name == "postgresql" else insert_sqlite
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    rest = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    for some in _slices(rows):
        tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest), some)


def _replace_identities(tx: sa.Connection, file: OrderFile) -> None:
    identities = tables.identities
    for ids in _slices([customer.id for customer in file.customers]):
        tx.execute(identities.delete().where(identities.c.customer.in_(ids)))
    rows = [
        {"channel": channel, "user": user, "customer": customer.id}
        for customer in file.customers
        for channel, user in customer.identities.items()
    ]
    for some in _slices(rows):
        tx.execute(identities.insert(), some)


def _taken_identities(tx: sa.Connection, file: OrderFile) -> list[str]:
    """Identities in the file that belong to a customer whom the file does not bring."""
    places = {
        (channel, user): f"customers[{index}].identities.{channel}"
        for index, customer in enumerate(file.customers)
        for channel, user in customer.identities.items()
    }
    brought = {customer.id for customer in file.customers}
    table = tables.identities
    problems = []
    for users in _slices([user for _, user in places]):
        for known in tx.execute(table.select().where(table.c.user.in_(users))):
            place = places.get((known.channel, known.user))
            if place and known.customer not in brought:
                problems.append(f"{place}: {known.user} is already customer {known.customer}")
    return problems


def _dangling(tx: sa.Connection, file: OrderFile) -> list[str]:
    """References to nothing, and to a record of another customer."""
    customers = _owners(tx, file.customers, tables.customers, "id", _named(file, "customer"))
    orders = _owners(tx, file.orders, tables.orders, "order_no", _named(file, "order_no"))
    subscriptions = _owners(tx, file.subscriptions, tables.subscriptions, "id", _named(file, "subscription"))
    charges = _owners(tx, file.charges, tables.charges, "charge_no", _named(file, "charge_no"))
    known: Mapping[str, _Owners] = {
        "customer": customers,
        "order_no": orders,
        "subscription": subscriptions,
        "charge_no": charges,
    }
    return [problem for field in known for problem in _unknown(file, field, known[field])]


def _named(file: OrderFile, field: str) -> list[str]:
    """The numbers that the file's records refer to by this field."""
    return sorted({number for _, _, number in _references(file, field)})


def _references(file: OrderFile, field: str) -> Iterator[tuple[str, Any, str]]:
    """The place, the record and the number of each reference by this field."""
    for section, key in KEYS.items():
        for index, record in enumerate(getattr(file, section)):
            number = getattr(record, field, None) if field != key else None
            if number is not None:
                yield f"{section}[{index}].{field}", record, number


def _unknown(file: OrderFile, field: str, owners: _Owners) -> Iterator[str]:
    what = field.removesuffix("_no")
    for place, record, number in _references(file, field):
        if number not in owners:
            yield f"{place}: there is no {what} {number}"
        elif field in ("order_no", "subscription") and owners[number] != getattr(
            record, "customer", owners[number]
        ):
            yield f"{place}: {what} {number} belongs to another customer"


def _owners(
    tx: sa.Connection, records: Sequence[Any], table: sa.Table, key: str, wanted: list[str]
) -> _Owners:
    """Who owns the records of these numbers, in the store as it will be."""
    owner = "id" if table is tables.customers else "customer"
    brought = {getattr(record, key): getattr(record, owner) for record in records}
    stored: _Owners = {}
    for numbers in _slices([number for number in wanted if number not in brought]):
        found = tx.execute(sa.select(table.c[key], table.c[owner]).where(table.c[key].in_(numbers)))
        stored.update((number, customer) for number, customer in found)
    return stored | brought


def _slices(values: list[_T]) -> Iterator[list[_T]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]

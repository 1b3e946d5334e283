"""All records of one customer in one statement: the database makes the JSON, and pydantic reads it at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from adapters.orders import tables
from bot.domain.base import Model
from bot.domain.records import Charge, Coupon, Customer, Invoice, Order, Refund, Subscription

CUSTOMER: sa.BindParameter[str] = sa.bindparam("customer")

_MY_CHARGES = sa.select(tables.charges.c.charge_no).where(tables.charges.c.customer == CUSTOMER)
_MY_ORDERS = sa.select(tables.orders.c.order_no).where(tables.orders.c.customer == CUSTOMER)

_MINE: Mapping[str, tuple[type[Model], sa.Table, sa.ColumnElement[bool]]] = {
    "orders": (Order, tables.orders, tables.orders.c.customer == CUSTOMER),
    "subscriptions": (Subscription, tables.subscriptions, tables.subscriptions.c.customer == CUSTOMER),
    "charges": (Charge, tables.charges, tables.charges.c.customer == CUSTOMER),
    "refunds": (Refund, tables.refunds, tables.refunds.c.charge_no.in_(_MY_CHARGES)),
    "invoices": (Invoice, tables.invoices, tables.invoices.c.order_no.in_(_MY_ORDERS)),
    "coupons": (Coupon, tables.coupons, tables.coupons.c.customer == CUSTOMER),
}


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What each database calls its JSON functions. SQLite forgets what is JSON when it leaves a subquery."""

    an_object: str
    rows: str
    pairs: str
    json: str | None

    def obj(self, **values: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        parts = [part for name, value in values.items() for part in (sa.literal_column(f"'{name}'"), value)]
        return sa.Function(self.an_object, *parts)

    def as_json(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.Function(self.json, value) if self.json else value

    def fields(self, model: type[Model], columns: sa.FromClause) -> dict[str, sa.ColumnElement[Any]]:
        named = [columns.c[name] for name in model.model_fields if name in columns.c]
        return {c.name: self.as_json(c) if isinstance(c.type, sa.JSON) else c for c in named}

    def records(
        self, model: type[Model], table: sa.Table, mine: sa.ColumnElement[bool]
    ) -> sa.ColumnElement[Any]:
        ordered = sa.select(table).where(mine).order_by(*table.primary_key).subquery()
        rows: sa.Function[Any] = sa.Function(self.rows, self.obj(**self.fields(model, ordered)))
        return self.as_json(sa.select(_or_empty(rows, "[]")).select_from(ordered).scalar_subquery())

    def person(self) -> sa.ColumnElement[Any]:
        known = tables.identities.c
        pairs: sa.Function[Any] = sa.Function(self.pairs, known.channel, known.user)
        names = sa.select(_or_empty(pairs, "{}")).where(known.customer == CUSTOMER)
        fields = self.fields(Customer, tables.customers)
        mine = tables.customers.c.id == CUSTOMER
        whole = self.obj(**fields, identities=self.as_json(names.scalar_subquery()))
        return self.as_json(sa.select(whole).where(mine).scalar_subquery())

    def snapshot(self) -> sa.Select[Any]:
        parts = {name: self.records(*mine) for name, mine in _MINE.items()}
        return sa.select(sa.cast(self.obj(customer=self.person(), **parts), sa.Text))


def _or_empty(gathered: sa.ColumnElement[Any], empty: str) -> sa.ColumnElement[Any]:
    """PostgreSQL gathers nothing to NULL."""
    return sa.func.coalesce(gathered, sa.literal_column(f"'{empty}'"))


SNAPSHOT: Mapping[str, sa.Select[Any]] = {
    "sqlite": _Dialect("json_object", "json_group_array", "json_group_object", "json").snapshot(),
    "postgresql": _Dialect("json_build_object", "json_agg", "json_object_agg", None).snapshot(),
}

"""The order store's tables: a column a field of the records, the parts of an order inside its row.

Money and times are their text in the order file's spelling: exact on every database, whatever its types.
Where a record names another one of the same customer, the foreign key takes the customer along, so that the
database itself holds customers apart. Keys are checked at commit, when a whole order file is in.
"""

import sqlalchemy as sa

VERSION_TABLE = "orders_version"
"""Its own name, so that the bot's tables may lie in the same PostgreSQL database."""

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str, *, null: bool = False, index: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null, index=index)


def _refers(columns: list[str], to: list[str]) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(columns, to, deferrable=True, initially="DEFERRED")


customers = sa.Table(
    "customers",
    metadata,
    _key("id"),
    _text("name", null=True),
    _text("phone", null=True),
    _text("email", null=True),
)

identities = sa.Table(
    "identities",
    metadata,
    _key("channel"),
    _key("user"),
    _text("customer", index=True),
    _refers(["customer"], ["customers.id"]),
)

orders = sa.Table(
    "orders",
    metadata,
    _key("order_no"),
    _text("customer", index=True),
    _text("status"),
    _text("currency"),
    _text("total"),
    _text("ordered_at"),
    _text("address", null=True),
    sa.Column("items", sa.JSON, nullable=False),
    sa.Column("shipment", sa.JSON(none_as_null=True)),
    _text("tracking_no", null=True, index=True),
    sa.UniqueConstraint("order_no", "customer"),
    _refers(["customer"], ["customers.id"]),
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    _key("id"),
    _text("customer", index=True),
    _text("plan"),
    _text("period"),
    _text("price"),
    _text("currency"),
    sa.Column("auto_renewal", sa.Boolean, nullable=False),
    _text("next_charge_at", null=True),
    _text("managed_by"),
    sa.UniqueConstraint("id", "customer"),
    _refers(["customer"], ["customers.id"]),
)

charges = sa.Table(
    "charges",
    metadata,
    _key("charge_no"),
    _text("customer", index=True),
    _text("order_no", null=True, index=True),
    _text("subscription", null=True, index=True),
    _text("amount"),
    _text("currency"),
    _text("charged_at"),
    _text("method", null=True),
    _text("description", null=True),
    _refers(["customer"], ["customers.id"]),
    _refers(["order_no", "customer"], ["orders.order_no", "orders.customer"]),
    _refers(["subscription", "customer"], ["subscriptions.id", "subscriptions.customer"]),
)

refunds = sa.Table(
    "refunds",
    metadata,
    _key("refund_no"),
    _text("charge_no", index=True),
    _text("amount"),
    _text("status"),
    _text("requested_at"),
    _text("expected_at", null=True),
    _refers(["charge_no"], ["charges.charge_no"]),
)

invoices = sa.Table(
    "invoices",
    metadata,
    _key("invoice_no"),
    _text("order_no", index=True),
    _text("title"),
    _text("amount"),
    _text("status"),
    _text("email", null=True),
    _text("issued_at", null=True),
    _refers(["order_no"], ["orders.order_no"]),
)

coupons = sa.Table(
    "coupons",
    metadata,
    _key("coupon_no"),
    _text("customer", index=True),
    _text("title"),
    _text("discount"),
    _text("min_spend"),
    _text("currency"),
    _text("status"),
    _text("valid_until", null=True),
    _refers(["customer"], ["customers.id"]),
)

products = sa.Table(
    "products",
    metadata,
    _key("sku"),
    _text("title"),
    _text("price"),
    _text("currency"),
    sa.Column("stock", sa.BigInteger, nullable=False),
    sa.Column("attributes", sa.JSON, nullable=False),
)

# The answer to each key. What was asked stands as a fingerprint alone: it may hold an address.
performed = sa.Table(
    "performed",
    metadata,
    _key("key"),
    _text("customer"),
    _text("action"),
    _text("target"),
    _text("fingerprint"),
    _text("status"),
    _text("reason", null=True),
    _text("at"),
)

"""What the bot may do to the store: one function an action, each scoped by the customer and done once a key.

Somebody else's record is refused like one that does not exist, with the reason ``unknown``.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from adapters.orders import tables
from bot.domain.errors import BadRequest
from bot.domain.ports import Performed
from bot.domain.session import Action
from bot.domain.vocabulary import ActionId, ActionName, CustomerId

BEFORE_SHIPPING = {"unpaid", "paid", "to_ship"}
RETURNABLE = {"delivered", "completed"}
NOTHING_TO_INVOICE = {"unpaid", "cancelled", "refunded", "closed"}

_DONE = Performed("done")
_UNKNOWN = Performed("refused", "unknown")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class _Job:
    """One action, inside its transaction."""

    tx: sa.Connection
    customer: CustomerId
    action: Action
    key: ActionId
    now: datetime

    def target(self, table: sa.Table, key: str) -> sa.Row[Any] | None:
        """The customer's own record that the action names, held until the end of the transaction."""
        mine = sa.and_(table.c[key] == self.action.target, table.c.customer == self.customer)
        return (self.tx.execute(table.select().where(mine).with_for_update())).first()

    def change(self, table: sa.Table, key: str, **values: Any) -> None:
        self.tx.execute(table.update().where(table.c[key] == self.action.target).values(**values))

    def number(self, prefix: str, nth: int = 0) -> str:
        """A number for a new record, the same at every try of the same action."""
        return f"{prefix}-{_sha256(f'{self.key} {nth}')[:16].upper()}"


def perform(
    tx: sa.Connection, customer: CustomerId, action: Action, key: ActionId, now: datetime
) -> Performed:
    """Raises BadRequest where the key was used for another action or customer."""
    asked = {
        "customer": customer,
        "action": action.name,
        "target": action.target,
        "fingerprint": _sha256(action.model_dump_json(exclude={"status"})),
    }
    if not _is_first(tx, key, asked, now):
        return _answered_before(tx, key, asked)
    result = _VERBS[action.name](_Job(tx, customer, action, key, now))
    mine = tables.performed.c.key == key
    answer = {"status": result.status, "reason": result.reason}
    tx.execute(tables.performed.update().where(mine).values(answer))
    return result


def _is_first(tx: sa.Connection, key: ActionId, asked: dict[str, str], now: datetime) -> bool:
    """Takes the key; whoever takes it at the same time waits here for the end of the other transaction."""
    insert = insert_postgresql if tx.dialect.name == "postgresql" else insert_sqlite
    line = insert(tables.performed).values(key=key, **asked, status="unknown", at=now.isoformat())
    taken = tx.execute(line.on_conflict_do_nothing().returning(tables.performed.c.key))
    return taken.first() is not None


def _answered_before(tx: sa.Connection, key: ActionId, asked: dict[str, str]) -> Performed:
    done = tables.performed
    before = (tx.execute(done.select().where(done.c.key == key))).one()
    if any(before._mapping[name] != value for name, value in asked.items()):
        raise BadRequest("The key of this action was used for something else.")
    return Performed(before.status, before.reason)


def _stop_auto_renewal(job: _Job) -> Performed:
    found = job.target(tables.subscriptions, "id")
    if found is None:
        return _UNKNOWN
    if not found.auto_renewal:
        return _DONE
    if found.managed_by != "shop":
        return Performed("refused", found.managed_by)
    job.change(tables.subscriptions, "id", auto_renewal=False, next_charge_at=None)
    return _DONE


def _request_refund(job: _Job) -> Performed:
    charge = job.target(tables.charges, "charge_no")
    if charge is None:
        return _UNKNOWN
    amount = _positive(job.action.amount)
    if amount is None:
        return Performed("refused", "amount")
    if job.action.unit not in (None, charge.currency):
        return Performed("refused", "currency")
    if amount > _left(job.tx, charge):
        return Performed("refused", "beyond_charge")
    _refund(job, charge.charge_no, amount)
    return _DONE


def _cancel_order(job: _Job) -> Performed:
    order = job.target(tables.orders, "order_no")
    if order is None:
        return _UNKNOWN
    if order.status == "cancelled":
        return _DONE
    if order.status not in BEFORE_SHIPPING:
        return Performed("refused", order.status)
    job.change(tables.orders, "order_no", status="cancelled")
    paid = tables.charges.select().where(
        tables.charges.c.order_no == order.order_no, tables.charges.c.customer == job.customer
    )
    charges = (job.tx.execute(paid.order_by(tables.charges.c.charge_no).with_for_update())).all()
    for nth, charge in enumerate(charges):
        left = _left(job.tx, charge)
        if left > 0:
            _refund(job, charge.charge_no, left, nth)
    return _DONE


def _change_address(job: _Job) -> Performed:
    order = job.target(tables.orders, "order_no")
    if order is None:
        return _UNKNOWN
    if order.status not in BEFORE_SHIPPING:
        return Performed("refused", order.status)
    if not job.action.address or not job.action.address.strip():
        return Performed("refused", "address")
    job.change(tables.orders, "order_no", address=job.action.address.strip())
    return _DONE


def _open_return(job: _Job) -> Performed:
    """The order waits for the goods; the money follows when they are back."""
    order = job.target(tables.orders, "order_no")
    if order is None:
        return _UNKNOWN
    if order.status not in RETURNABLE:
        return Performed("refused", order.status)
    job.change(tables.orders, "order_no", status="refunding")
    return _DONE


def _send_invoice(job: _Job) -> Performed:
    """Sends the invoice that there is to the new address, or issues one."""
    order = job.target(tables.orders, "order_no")
    if order is None:
        return _UNKNOWN
    email = job.action.email
    if email is None or not _EMAIL.fullmatch(email):
        return Performed("refused", "email")
    invoices = tables.invoices
    sent = job.tx.execute(
        invoices.update().where(invoices.c.order_no == order.order_no).values(email=email, status="sent")
    )
    if sent.rowcount:
        return _DONE
    if order.status in NOTHING_TO_INVOICE:
        return Performed("refused", order.status)
    issued = {"invoice_no": job.number("INV"), "order_no": order.order_no, "title": "个人"}
    issued |= {"amount": order.total, "status": "sent", "email": email, "issued_at": job.now.isoformat()}
    job.tx.execute(invoices.insert().values(issued))
    return _DONE


_VERBS: dict[ActionName, Callable[[_Job], Performed]] = {
    "stop_auto_renewal": _stop_auto_renewal,
    "request_refund": _request_refund,
    "cancel_order": _cancel_order,
    "change_address": _change_address,
    "open_return": _open_return,
    "send_invoice": _send_invoice,
}


def _left(tx: sa.Connection, charge: sa.Row[Any]) -> Decimal:
    """What of a charge is neither back nor on its way back."""
    refund = tables.refunds.c
    amounts = tx.scalars(
        sa.select(refund.amount).where(refund.charge_no == charge.charge_no, refund.status != "rejected")
    )
    return Decimal(charge.amount) - sum((Decimal(amount) for amount in amounts), Decimal())


def _refund(job: _Job, charge_no: str, amount: Decimal, nth: int = 0) -> None:
    row = {"refund_no": job.number("RF", nth), "charge_no": charge_no, "amount": f"{amount:.2f}"}
    row |= {"status": "requested", "requested_at": job.now.isoformat()}
    job.tx.execute(tables.refunds.insert().values(row))


def _positive(amount: str | None) -> Decimal | None:
    """An amount of money above nothing, in whole cents."""
    try:
        value = Decimal(amount or "")
        return value if value > 0 and value == round(value, 2) else None
    except (InvalidOperation, OverflowError):
        return None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

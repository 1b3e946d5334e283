"""Run by Alembic, inside the transaction that ``adapters.migrations`` has begun."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.types import TypeDecorator

from adapters.storage.tables import metadata


def _plain_types(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """A migration names what is in the database, not our classes: they may change after it."""
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=_plain_types,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

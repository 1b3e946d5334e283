"""Run by Alembic, inside the transaction that ``adapters.migrations`` has begun."""

from alembic import context

from adapters.orders.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

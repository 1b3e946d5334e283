"""Runs the migrations on the connection, and in the transaction, that the caller brings."""

from alembic import context

from adapters.orders.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()

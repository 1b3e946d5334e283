"""What was said while an answer, or an effect, was waited for."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("sessions") as sessions:
        sessions.add_column(sa.Column("held_seq", sa.Integer(), server_default="0", nullable=False))
        sessions.add_column(
            sa.Column(
                "held_at",
                sa.DateTime(timezone=True),
                nullable=True,
                comment="when the unanswered lines were first put off",
            )
        )
    with op.batch_alter_table("effects") as effects:
        effects.add_column(sa.Column("told", sa.Integer(), server_default="0", nullable=False))

"""Keep when a message that is retried is due."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Add the column, which writes no row."""
    op.add_column("messages", sa.Column("next_attempt_at", _TIME))

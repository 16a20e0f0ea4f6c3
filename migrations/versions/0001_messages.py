"""Make the table of messages, and an index for each kind of query."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# As the ledger writes moments: PostgreSQL has a type for them, in SQLite they are texts.
_TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "messages",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text()),
        sa.Column("size", sa.BigInteger()),
        sa.Column("key_version", sa.Text()),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("replay", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.Column("state_at", _TIME, nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("accepted_at", _TIME),
        sa.Column("queued_at", _TIME),
        sa.Column("retrying_at", _TIME),
        sa.Column("delivered_at", _TIME),
        sa.Column("rejected_at", _TIME),
        sa.Column("fingerprint", sa.LargeBinary()),
    )
    op.create_index("messages_by_time", "messages", ["first_seen_at", "id"])
    op.create_index("messages_by_state", "messages", ["state", "first_seen_at", "id"])

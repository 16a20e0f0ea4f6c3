"""Keep when a rejected message was dropped, and when a row was pruned to a tombstone.

Tombstones leave the indexes by which messages are listed and pruned, and get one by their age: in
years there are many times more of them than of other rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
_LISTED = {"messages_by_time": [], "messages_by_state": ["state"]}


def upgrade() -> None:
    """Add the columns, which writes no row, and make the indexes anew."""
    op.add_column("messages", sa.Column("dropped_at", _TIME))
    op.add_column("messages", sa.Column("pruned_at", _TIME))
    for name, first in _LISTED.items():
        op.drop_index(name, "messages")
        _partial_index(name, [*first, "first_seen_at", "id"], "pruned_at IS NULL")
    _partial_index("messages_pruned", ["accepted_at", "id"], "pruned_at IS NOT NULL")


def _partial_index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "messages", columns, postgresql_where=where, sqlite_where=where)

"""Many messages in a ledger, made by the database itself."""

from __future__ import annotations

from tests import databases

# One in a hundred is on its way; the rest is delivered.
_ROW = """
    {id}, CASE WHEN n % 100 = 0 THEN 'retrying' ELSE 'delivered' END,
    'text/plain', 100, 'v1', 0, 0, {at}, {at}, {at}
"""
_COLUMNS = (
    "id, state, content_type, size, key_version, attempts, replay, "
    "state_at, first_seen_at, accepted_at"
)


# Its numbers and names are this module's own: nothing from outside gets into these statements.
_SQLITE = (
    "INSERT INTO messages ({columns}) WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL"
    " SELECT n + 1 FROM series WHERE n < {count}) SELECT {row} FROM series"
)
_POSTGRESQL = (
    "INSERT INTO messages ({columns}) SELECT {row} FROM generate_series(1, {count}) AS series(n)"
)
_SQLITE_TIME = "strftime('%Y-%m-%dT%H:%M:%S', 1700000000 + n, 'unixepoch') || '.000000Z'"


async def fill(url: str, count: int) -> None:
    """Write `count` messages, a second apart, and let the database look at what it has."""
    if url.startswith("sqlite"):
        row, last, statement = (
            _ROW.format(id="printf('m%07d', n)", at=_SQLITE_TIME),
            "ANALYZE",
            _SQLITE,
        )
    else:
        row = _ROW.format(id="'m' || lpad(n::text, 7, '0')", at="to_timestamp(1700000000 + n)")
        last, statement = "VACUUM ANALYZE messages", _POSTGRESQL
    filling = statement.format(columns=_COLUMNS, count=count, row=row)
    await databases.run(url, filling, last)

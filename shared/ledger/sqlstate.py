"""What the codes of PostgreSQL's errors are about.

Source: PostgreSQL, "Appendix A. PostgreSQL Error Codes".
"""

from __future__ import annotations

# Each may come of one connection again and again, and of a new one not.
_OF_A_CONNECTION = frozenset(
    {
        "25006",  # read only: the server is a standby since a fail-over
        "25P03",  # ended for being idle in a transaction
        "25P04",  # ended for the length of a transaction
        "26000",  # a prepared statement that its server does not have
        "42P05",  # a prepared statement that its server has already
        "57P01",  # shut down by an administrator
        "57P02",  # shut down by a crash
        "57P03",  # the server is starting or ending
        "57P04",  # the database was dropped
        "57P05",  # ended for being idle
    }
)
_CLASSES = (
    "08",  # connection exceptions
    "58",  # errors of the server's system
    "F0",  # its configuration
    "XX",  # internal errors
)
UNKNOWN_STARTUP_PARAMETER = "08P01"


def is_about_the_connection(sqlstate: str | None) -> bool:
    """Return whether an error is a reason to give up the connection that it came by."""
    return sqlstate is not None and (sqlstate in _OF_A_CONNECTION or sqlstate.startswith(_CLASSES))

"""What of a secret's value counts: one reading for the apps, the migration and the operators."""

from __future__ import annotations


def secret_text(value: str) -> str:
    """Return a secret without the white space around it.

    What is piped or pasted ends in a newline. Read differently in two places, one value would
    name two databases.
    """
    return value.strip()

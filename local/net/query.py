"""Parameters in the query of a request."""

from __future__ import annotations

from aiohttp import web

_DIGITS = 15


def whole_number(request: web.Request, name: str, default: int) -> int:
    """Return a parameter that is a whole number. Raises `ValueError`, which names it."""
    given = request.query.get(name, str(default))
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS):
        raise ValueError(f"{name} must be a whole number of at most {_DIGITS} digits")
    return int(given)

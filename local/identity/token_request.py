"""What both token endpoints know of a request for a token: who makes it, for which resource."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from local.deployment.resource_id import normal
from local.deployment.resources import Identity

# A token must not end up in any cache.
NO_CACHE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,200}")


class Caller(Protocol):
    """Who may request tokens: an app, a machine, or an operator outside."""

    @property
    def name(self) -> str:
        """The name that the log gives it."""

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The identities that it selects by an id."""

    @property
    def system_identity(self) -> Identity | None:
        """The identity that it gets without selecting any."""


class SelectionError(Exception):
    """A request does not select one identity in the form that an endpoint knows."""


def selection(
    parameters: Sequence[tuple[str, str]], selectors: Sequence[str], others: Sequence[str]
) -> tuple[str, str] | None:
    """Return the parameter that selects an identity, with its value; None without one.

    Raises `SelectionError` for more than one, and for a parameter that is neither of `selectors`
    nor of `others`: a misspelt one must not give the token of another identity.
    """
    names = [name for name, _ in parameters]
    for name in names:
        if name not in selectors and name not in others:
            raise SelectionError(
                f"The parameter {shown(name)} is not known: it must be one of "
                f"{', '.join((*others, *selectors))}."
            )
        if names.count(name) > 1:
            raise SelectionError(f"The parameter {name} is given more than once.")
    chosen = [(name, value) for name, value in parameters if name in selectors]
    if len(chosen) > 1:
        raise SelectionError(f"Only one of {', '.join(selectors)} may be given.")
    if chosen and not chosen[0][1]:
        raise SelectionError(f"The parameter {chosen[0][0]} is empty.")
    return chosen[0] if chosen else None


def shown(name: str) -> str:
    """Return a name that a request has for an error, without what could break the answer's form."""
    return name if _PRINTABLE.fullmatch(name) else "requested"


def selected_identity(caller: Caller, selector: str, value: str) -> Identity | None:
    """Return the caller's identity of that id; `selector` is the parameter that has the id."""
    own: tuple[Identity, ...] = (caller.system_identity,) if caller.system_identity else ()
    for identity in (*caller.identities, *own):
        if selector == "client_id":
            candidate = identity.client_id
        elif selector in ("mi_res_id", "msi_res_id"):
            candidate = identity.resource_id
        else:
            candidate = identity.principal_id
        if normal(candidate) == normal(value):
            return identity
    return None

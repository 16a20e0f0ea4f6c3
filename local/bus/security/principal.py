"""Who a token was issued to, and what a bus asks about that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Right = Literal["send", "listen", "manage"]


@dataclass(frozen=True)
class Principal:
    """Who was authenticated, how, and until when (seconds since 1970; None without end).

    `app` is the name of the app that got the token, where that is known.
    """

    kind: Literal["identity", "sas"]
    id: str
    expires_at: float | None
    app: str | None = None


class AccessControl(Protocol):
    """Authentication and authorization, as a bus needs them."""

    def authenticate(self, token: str, audience: str) -> Principal:
        """Return whose token it is; `audience` is sb://host/entity. Raises UnauthorizedError."""

    def authenticate_plain(self, name: str, key: str) -> Principal:
        """Return whose name and key they are, given by SASL PLAIN. Raises UnauthorizedError."""

    def is_allowed(self, principal: Principal, right: Right, queue: str) -> bool:
        """Return whether the principal has that right on the queue, now."""

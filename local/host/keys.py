"""Access keys of function apps: which exist, how a request presents one, what it authorizes.

As the Functions host decides it (azure-functions-host: `AuthenticationLevelHandler`,
`SecretManager.GetAuthorizationLevelAsync`, `AuthUtility.PrincipalHasAuthLevelClaim`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

HEADER = "x-functions-key"
QUERY = "code"
_ROOT_BYTES = 32


class AuthLevel(Enum):
    """What a function requires of a key, by its name in a binding."""

    ANONYMOUS = "anonymous"
    FUNCTION = "function"
    ADMIN = "admin"


class KeysUnreadableError(Exception):
    """A file of keys is missing, or holds something else."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} holds no keys of an app; remove it and start the cloud again")
        self.path = path


@dataclass(frozen=True)
class AppKeys:
    """The keys of an app, all made from one random `root` of 32 bytes.

    Azure makes each key at random when it is first needed. From a root, each process of an app
    derives the keys of its functions, and none has to be stored. One key says
    nothing about another: HMAC-SHA-256 is a pseudo-random function.
    """

    root: bytes = field(repr=False)

    @classmethod
    def fresh(cls) -> AppKeys:
        """Generate the keys of a new app."""
        return cls(secrets.token_bytes(_ROOT_BYTES))

    @classmethod
    def read(cls, path: Path) -> AppKeys:
        """Read what `text` was written to. Raises KeysUnreadableError."""
        try:
            root = bytes.fromhex(path.read_text("ascii"))
        except (OSError, ValueError):
            raise KeysUnreadableError(path) from None
        if len(root) != _ROOT_BYTES:
            raise KeysUnreadableError(path)
        return cls(root)

    def text(self) -> str:
        """Return them as text, which is a secret."""
        return self.root.hex()

    @property
    def master(self) -> str:
        """The key `_master`: it authorizes every function, and `/admin`."""
        return self._derived("host/_master")

    @property
    def host(self) -> str:
        """The key `default` of the host: it authorizes every function of level `function`."""
        return self._derived("host/default")

    def function(self, name: str) -> str:
        """Return the key `default` of one function; names differ without regard to case."""
        return self._derived(f"functions/{name.lower()}/default")

    def _derived(self, name: str) -> str:
        derived = hmac.digest(self.root, name.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(derived).decode().rstrip("=")


class _Headers(Protocol):
    def getall(self, key: str, default: list[str]) -> list[str]:
        """Return all values of a header, without regard to case."""


def key_from_request(headers: _Headers, query: Iterable[tuple[str, str]]) -> str | None:
    """Return the key of a request, None if it has none.

    The first header counts, even an empty one; `code` counts only without any header, and its name
    is compared without regard to case, as names in a query are there.
    """
    if given := headers.getall(HEADER, []):
        return given[0] or None
    codes = (value for name, value in query if name.lower() == QUERY)
    return next(codes, None) or None


def is_authorized(
    level: AuthLevel, given: str | None, keys: AppKeys | None, function: str | None = None
) -> bool:
    """Return whether the key `given` authorizes for `level`, in an app or a function of it.

    Without `keys` no key is required, as with `func start`.
    """
    if keys is None or level is AuthLevel.ANONYMOUS:
        return True
    if given is None:
        return False
    accepted = [keys.master]
    if level is AuthLevel.FUNCTION:
        accepted += [keys.host, *([keys.function(function)] if function else [])]
    # All are compared, each in constant time: the time that it takes says nothing about a key.
    matches = [hmac.compare_digest(_encoded(given), _encoded(one)) for one in accepted]
    return any(matches)


def auth_level_of(binding: Mapping[str, object]) -> AuthLevel:
    """Read the level that a trigger requires. Raises ValueError for an unknown one."""
    return AuthLevel(str(binding.get("authLevel", "function")).lower())


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")

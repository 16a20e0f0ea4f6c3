"""Access keys of function apps: which there are, who presents one, and what it opens.

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
    """What a function asks for, by its name in a binding."""

    ANONYMOUS = "anonymous"
    FUNCTION = "function"
    ADMIN = "admin"


class KeysUnreadableError(Exception):
    """A file of keys is not there, or holds something else."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} holds no keys of an app; remove it and start the cloud again")
        self.path = path


@dataclass(frozen=True)
class AppKeys:
    """The keys of an app, all made from one random `root` of 32 bytes.

    Azure makes each key at random when it is first needed. From a root, each process of an app has
    the keys of functions that nobody knew beforehand, and none has to write them down. One key says
    nothing about another: HMAC-SHA-256 is a pseudo-random function.
    """

    root: bytes = field(repr=False)

    @classmethod
    def fresh(cls) -> AppKeys:
        """Make the keys of a new app."""
        return cls(secrets.token_bytes(_ROOT_BYTES))

    @classmethod
    def read(cls, path: Path) -> AppKeys:
        """Read what `text` was written to; KeysUnreadableError if that is not there."""
        try:
            root = bytes.fromhex(path.read_text("ascii"))
        except (OSError, ValueError):
            raise KeysUnreadableError(path) from None
        if len(root) != _ROOT_BYTES:
            raise KeysUnreadableError(path)
        return cls(root)

    def text(self) -> str:
        """Write them down, as a secret to be kept."""
        return self.root.hex()

    @property
    def master(self) -> str:
        """The key `_master`: it opens every function, and `/admin`."""
        return self._made("host/_master")

    @property
    def host(self) -> str:
        """The key `default` of the host: it opens every function of level `function`."""
        return self._made("host/default")

    def function(self, name: str) -> str:
        """Return the key `default` of one function; names differ without regard to case."""
        return self._made(f"functions/{name.lower()}/default")

    def _made(self, name: str) -> str:
        made = hmac.digest(self.root, name.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(made).decode().rstrip("=")


class _Headers(Protocol):
    def getall(self, key: str, default: list[str]) -> list[str]:
        """Return all values of a header, without regard to case."""


def key_from_request(headers: _Headers, query: Iterable[tuple[str, str]]) -> str | None:
    """Find the key that a request comes with, None if it has none.

    The first header counts, even an empty one; `code` is looked at only without any header, and its
    name is compared without regard to case, as names in a query are there.
    """
    if given := headers.getall(HEADER, []):
        return given[0] or None
    codes = (value for name, value in query if name.lower() == QUERY)
    return next(codes, None) or None


def is_authorized(
    level: AuthLevel, given: str | None, keys: AppKeys | None, function: str | None = None
) -> bool:
    """Return whether the key `given` opens what asks for `level`, in an app or a function of it.

    Without `keys` nobody is asked for one, which is what `func start` does.
    """
    if keys is None or level is AuthLevel.ANONYMOUS:
        return True
    if given is None:
        return False
    enough = [keys.master]
    if level is AuthLevel.FUNCTION:
        enough += [keys.host, *([keys.function(function)] if function else [])]
    # Each is compared, and each in constant time: how long the answer takes says nothing of a key.
    matches = [hmac.compare_digest(_octets(given), _octets(one)) for one in enough]
    return any(matches)


def auth_level_of(binding: Mapping[str, object]) -> AuthLevel:
    """Read the level that a trigger asks for; ValueError for an unknown one."""
    return AuthLevel(str(binding.get("authLevel", "function")).lower())


def _octets(text: str) -> bytes:
    return text.encode(errors="surrogatepass")

"""What access.json declares, as single grants that can be probed; and how each probe compares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shared.errors import RelayError

FILE = Path(__file__).parents[2] / "infra" / "access.json"

# `app` stands for an app as a place where an identity's tokens are available.
Kind = Literal["app", "key", "secret", "queue"]
Outcome = Literal["allowed", "refused", "could not tell"]
Verdict = Literal["as declared", "wider", "narrower", "could not tell"]

_OWN = " (system)"

OPERATIONS: Mapping[Kind, tuple[str, ...]] = {
    "app": ("token",),
    "key": ("encrypt", "decrypt", "get"),
    "secret": ("get", "list"),
    "queue": ("send", "receive"),
}
"""The operations probed on an object of each kind; `list` of a secret lists its versions."""

_WITH_SECRETS = {"getSecret": "get", "readMetadata": "list", "setSecret": "set"}
_WITH_KEYS = {"read": "get", "rotate": "rotate", "update": "update"}


@dataclass(frozen=True, order=True)
class Grant:
    """One operation of one identity on one object."""

    identity: str
    kind: Kind
    object: str
    operation: str

    def __str__(self) -> str:
        if self.kind == "app":
            return f"{self.identity}: token in app {self.object}"
        return f"{self.identity}: {self.operation} {self.kind} {self.object}"


class NotDeclaredError(RelayError):
    """access.json is missing, or not of the form of access.schema.json."""


@dataclass(frozen=True)
class Declaration:
    """Who may do what, and which objects there are, by kind; `digest` identifies the file.

    `unprobed` are grants, too: of operations without a harmless probe, such as to set a secret or
    to rotate a key. `packages` are the identities under which Azure itself fetches and
    stores the apps' packages.
    """

    grants: frozenset[Grant]
    unprobed: frozenset[Grant]
    identities: tuple[str, ...]
    operators: tuple[str, ...]
    packages: frozenset[str]
    objects: Mapping[Kind, tuple[str, ...]]
    digest: str

    @classmethod
    def load(cls, path: Path = FILE) -> Declaration:
        """Read access.json. Raises `NotDeclaredError`."""
        try:
            access = json.loads(path.read_bytes())
            every = frozenset(_grants(access))
            probed = frozenset(one for one in every if one.operation in OPERATIONS[one.kind])
            return cls(
                probed,
                every - probed,
                _names(access["identities"]) + tuple(own(app) for app in _names(access["apps"])),
                _names(access["operators"]),
                frozenset(str(app["package"]) for app in access["apps"]),
                {
                    "app": _names(access["apps"]),
                    "key": _names(access["keys"]),
                    "secret": _names(access["secrets"]),
                    "queue": _names(access["queues"]),
                },
                # Of the content: a checkout may have other line ends.
                hashlib.sha256(json.dumps(access, sort_keys=True).encode()).hexdigest(),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotDeclaredError(f"{path}: {type(error).__name__}") from None

    def on_objects(self, identity: str) -> Iterator[Grant]:
        """Give every grant that can be probed as an identity, declared or not."""
        for kind, objects in self.objects.items():
            if kind != "app":
                for name in objects:
                    for operation in OPERATIONS[kind]:
                        yield Grant(identity, kind, name, operation)


def own(app: str) -> str:
    """Name the identity that an app has of itself (system-assigned)."""
    return app + _OWN


def owner(identity: str) -> str | None:
    """Return the app whose own identity it is, None for a user-assigned one."""
    return identity.removesuffix(_OWN) if identity.endswith(_OWN) else None


def verdict(outcome: Outcome, *, declared: bool) -> Verdict:
    """Say how a probe's outcome relates to what is declared."""
    if outcome == "could not tell":
        return "could not tell"
    if (outcome == "allowed") == declared:
        return "as declared"
    return "narrower" if declared else "wider"


def _names(listed: list[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(one["name"]) for one in listed)


def _grants(access: Mapping[str, Any]) -> Iterator[Grant]:
    for app in access["apps"]:
        yield Grant(own(app["name"]), "app", app["name"], "token")
        yield from (Grant(name, "app", app["name"], "token") for name in app["identities"])
    for grant in access["keyGrants"]:
        for operation in grant["operations"]:
            yield Grant(grant["identity"], "key", grant["key"], operation)
    for grant in access["secretGrants"]:
        yield Grant(grant["identity"], "secret", grant["secret"], "get")
    yield from _of_operators(access)
    for grant in access["queueGrants"]:
        for right in grant["rights"]:
            yield Grant(grant["identity"], "queue", grant["queue"], right)


def _of_operators(access: Mapping[str, Any]) -> Iterator[Grant]:
    for grant in access.get("operatorSecretGrants", ()):
        for operation in grant["operations"]:
            yield Grant(grant["operator"], "secret", grant["secret"], _WITH_SECRETS[operation])
    for grant in access.get("operatorKeyGrants", ()):
        for operation in grant["operations"]:
            yield Grant(grant["operator"], "key", grant["key"], _WITH_KEYS[operation])

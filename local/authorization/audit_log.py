"""The audit log: what the local cloud allowed and refused, to whom, and by which grant.

A record holds what the deployment and this cloud know: names, ids, actions. Nolabel that a client
chose freely is in it, so that no secret, token or payload can be.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from threading import Lock
from typing import Literal

from local.authorization.authorization import Decision
from local.authorization.names import Names
from local.deployment.resource_id import normal

DEFAULT_SIZE = 10_000
Service = Literal["vault", "bus", "identity"]


@dataclass(frozen=True, slots=True)
class Requester:
    """Who makes a request, as far as a service knows; `app` is the one its token was issued to."""

    principal_id: str | None = None
    app: str | None = None
    probe: bool = False
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One decision. `because` names the grant that allowed it, or what would have allowed it."""

    service: Service
    action: str | None
    object: str
    resource: str | None
    _: KW_ONLY
    allowed: bool
    because: str
    by: str | None = None
    app: str | None = None
    identity: str | None = None
    principal: str | None = None
    request: str | None = None
    probe: bool = False
    n: int = 0
    at: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Records in order; `dropped` is how many after the requested number are no longer kept."""

    decisions: Sequence[AuditRecord]
    last: int
    dropped: int


@dataclass(slots=True)
class UseCount:
    """How often a right was used by one app, and when last, in seconds since 1970."""

    count: int = 0
    last: float = 0.0

    def once_more(self, count: int = 1) -> None:
        """Count uses made now."""
        self.count += count
        self.last = time.time()


@dataclass(frozen=True, slots=True)
class _Right:
    principal_id: str
    operation: str
    resource_id: str


class AuditLog:
    """The last `size` decisions, numbered from 1, and all uses of rights since the start.

    Safe for use by several threads. `on_record` is called with each decision, once it is kept.
    """

    def __init__(
        self,
        names: Names | None = None,
        size: int = DEFAULT_SIZE,
        on_record: Callable[[AuditRecord], None] = lambda _: None,
    ) -> None:
        self.names = names or Names()
        self._kept: deque[AuditRecord] = deque(maxlen=size)
        self._last = 0
        self._uses: dict[_Right, dict[str | None, UseCount]] = {}
        self._lock = Lock()
        self._on_record = on_record

    def decided(self, service: Service, decision: Decision, requester: Requester) -> None:
        """Record an answer of `Authorization.decide`."""
        self._keep(
            requester,
            AuditRecord(
                service,
                decision.action,
                str(self.names.label(decision.resource_id)),
                decision.resource_id,
                allowed=decision.allowed,
                because=self.reason(decision),
                by=decision.by,
            ),
        )

    def reason(self, decision: Decision) -> str:
        """Return which grant allowed what was decided, or what would have allowed it."""
        return self._allowed(decision) if decision.allowed else self._missing(decision)

    def refused(
        self,
        service: Service,
        requester: Requester,
        action: str | None,
        resource_id: str,
        needs: str,
    ) -> None:
        """Record a refusal that no grant could change, such as that of an invalid token."""
        label = str(self.names.label(resource_id))
        because = f"needs {needs}"
        self._keep(
            requester,
            AuditRecord(service, action, label, resource_id, allowed=False, because=because),
        )

    def token_issued(self, requester: Requester, resource_id: str) -> None:
        """Record that an app got a token of an identity."""
        label = str(self.names.label(resource_id))
        because = f"it is an identity of {self.names.caller(requester.app)}"
        self._keep(
            requester,
            AuditRecord("identity", "token", label, resource_id, allowed=True, because=because),
        )

    def token_refused(self, requester: Requester, selected: str | None) -> None:
        """Record that an app got none: of the identity with that id, or of its own for None."""
        app = self.names.caller(requester.app)
        if selected is None:
            label, needs = "its own identity", f"needs a system-assigned identity of {app}"
        else:
            label = str(self.names.selected(selected))
            needs = f"needs {label} attached to {app}"
        self._keep(
            requester, AuditRecord("identity", "token", label, None, allowed=False, because=needs)
        )

    def use(self, requester: Requester, operation: str, resource_id: str) -> UseCount:
        """Return where to count uses of a right by an app; those of a probe are not kept.

        `operation` is in the words of access.json: encrypt, decrypt, get, send, receive.
        """
        # What an access audit tries says nolabel about what the apps need.
        if requester.probe:
            return UseCount()
        right = _Right((requester.principal_id or "").lower(), operation, normal(resource_id))
        with self._lock:
            return self._uses.setdefault(right, {}).setdefault(requester.app, UseCount())

    def after(self, number: int, limit: int) -> Page:
        """Return up to `limit` decisions that follow on a number, oldest first."""
        with self._lock:
            last, kept = self._last, len(self._kept)
            first = last - kept + 1
            start = max(0, number + 1 - first)
            found = list(islice(self._kept, start, min(kept, start + limit)))
        return Page(found, last, max(0, first - 1 - max(0, number)))

    def uses(self) -> list[dict[str, object]]:
        """List what was used, each right with its identity, object, operation and apps."""
        with self._lock:
            rights = {right: dict(apps) for right, apps in self._uses.items()}
        return sorted(
            (self._as_used(right, apps) for right, apps in rights.items() if _ever(apps)),
            key=lambda one: [str(one[name]) for name in ("kind", "object", "operation")],
        )

    def _as_used(self, right: _Right, apps: dict[str | None, UseCount]) -> dict[str, object]:
        label = self.names.label(right.resource_id)
        last = max(use.last for use in apps.values())
        return {
            "identity": self.names.identity(right.principal_id) or right.principal_id,
            "kind": label.kind,
            "object": label.name,
            "operation": right.operation,
            "count": sum(use.count for use in apps.values()),
            "last": _time(last),
            "apps": {self.names.caller(app) or "?": use.count for app, use in apps.items()},
        }

    def _keep(self, requester: Requester, record: AuditRecord) -> None:
        known = record.resource is not None and self.names.known(record.resource)
        with self._lock:
            self._last += 1
            kept = replace(
                record,
                n=self._last,
                at=_time(time.time()),
                app=self.names.caller(requester.app),
                identity=self.names.identity(requester.principal_id),
                principal=requester.principal_id,
                resource=record.resource if known else None,
                request=requester.request_id,
                probe=requester.probe,
            )
            self._kept.append(kept)
        self._on_record(kept)

    def _allowed(self, decision: Decision) -> str:
        if decision.model == "rbac":
            return self.names.assignment(decision.by or "")
        return f"access policy {decision.permission} in {self.names.label(decision.by or '')}"

    def _missing(self, decision: Decision) -> str:
        missing = decision.missing
        if missing is None:
            return "needs a grant that is not known here"
        if missing.suspended:
            return "needs its grants, which are suspended"
        at = self.names.label(missing.scope)
        if decision.model == "rbac":
            return f"needs a role permitting {missing.action} at {at}"
        if missing.permission is None:
            return f"needs roles in {at}: no access policy covers {missing.action}"
        return f"needs access policy {missing.permission} in {at}"


def as_json(page: Page) -> dict[str, object]:
    """Write a page as the control endpoint answers it."""
    return asdict(page)


def _ever(apps: dict[str | None, UseCount]) -> bool:
    return any(use.count for use in apps.values())


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")

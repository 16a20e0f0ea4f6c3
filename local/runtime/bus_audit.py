"""What the bus decides, put on record."""

from __future__ import annotations

from collections.abc import Mapping

from local.authorization.audit_log import AuditLog, Requester, UseCount
from local.authorization.authorization import Authorization
from local.bus.security.access import decide, queue_id
from local.bus.security.audit_sink import AccessRequest, AuditSink
from local.bus.security.principal import Principal, Right
from local.deployment.resources import NamespaceSpec

# The words of access.json.
_OPERATIONS: Mapping[Right, str] = {"send": "send", "listen": "receive"}


class BusAudit(AuditSink):
    """Tells the record of decisions what the bus of a namespace decides, and counts the uses."""

    def __init__(
        self, namespace: NamespaceSpec, authorization: Authorization, audit_log: AuditLog
    ) -> None:
        self._namespace = namespace
        self._authorization = authorization
        self._audit_log = audit_log
        self._uses: dict[tuple[str, str | None, Right, str], UseCount] = {}

    def decided(self, principal: Principal, right: Right, asked: AccessRequest) -> None:
        """Ask again, at the same moment, for the reasons too, and keep the answer with them."""
        decision = decide(self._authorization, self._namespace, principal, right, asked.entity)
        asker = Requester(principal.id, principal.app, asked.probe, asked.request_id)
        self._audit_log.decided("bus", decision, asker)

    def authentication_failed(self, why: str, asked: AccessRequest) -> None:
        """Keep a refusal of somebody unknown."""
        asker = Requester(probe=asked.probe, request_id=asked.request_id)
        needs = f"a valid token ({why})"
        self._audit_log.refused("bus", asker, None, queue_id(self._namespace, asked.entity), needs)

    def used(self, principal: Principal, right: Right, entity: str, count: int) -> None:
        """Count what was sent or received."""
        key = (principal.id, principal.app, right, entity)
        use = self._uses.get(key)
        if use is None:
            # Found once for all messages to come: there are many, and this is their way.
            asker = Requester(principal.id, principal.app)
            use = self._audit_log.use(asker, _OPERATIONS[right], queue_id(self._namespace, entity))
            self._uses[key] = use
        use.once_more(count)

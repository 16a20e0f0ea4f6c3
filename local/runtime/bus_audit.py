"""The audit log of the bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from local.authorization.audit_log import AuditLog, Requester, UseCount
from local.authorization.authorization import Authorization
from local.bus.security.access import decide, queue_id
from local.bus.security.audit_sink import AccessRequest, AuditSink
from local.bus.security.principal import Principal, Right
from local.deployment.resources import NamespaceSpec
from local.runtime.events import CloudEvents, MessagesTransferred

# The names in access.json.
_OPERATIONS: Mapping[Right, str] = {"send": "send", "listen": "receive", "manage": "manage"}


class BusAudit(AuditSink):
    """Records in the audit log what the bus of a namespace decides, and counts uses of rights."""

    def __init__(
        self,
        namespace: NamespaceSpec,
        authorization: Authorization,
        audit_log: AuditLog,
        events: CloudEvents,
    ) -> None:
        self._namespace = namespace
        self._authorization = authorization
        self._audit_log = audit_log
        self._events = events
        self._uses: dict[tuple[str, str | None, Right, str], UseCount] = {}

    def decided(self, principal: Principal, right: Right, asked: AccessRequest) -> None:
        """Decide again, at the same moment, to record the reasons too."""
        decision = decide(self._authorization, self._namespace, principal, right, asked.entity)
        requester = Requester(principal.id, principal.app, asked.probe, asked.request_id)
        self._audit_log.decided("bus", decision, requester)

    def authentication_failed(self, why: str, asked: AccessRequest) -> None:
        """Record a refusal of a client without a valid token."""
        requester = Requester(probe=asked.probe, request_id=asked.request_id)
        needs = f"a valid token ({why})"
        self._audit_log.refused(
            "bus", requester, None, queue_id(self._namespace, asked.entity), needs
        )

    def used(self, principal: Principal, right: Right, entity: str, count: int) -> None:
        """Count what was sent or received."""
        key = (principal.id, principal.app, right, entity)
        use = self._uses.get(key)
        if use is None:
            # Looked up once for all messages to come: this runs for each of them.
            requester = Requester(principal.id, principal.app)
            use = self._audit_log.use(
                requester, _OPERATIONS[right], queue_id(self._namespace, entity)
            )
            self._uses[key] = use
        use.once_more(count)

    def transferred(
        self, principal: Principal, right: Right, entity: str, message_ids: Sequence[str]
    ) -> None:
        """Publish that messages moved, where anybody watches: this runs for each of them."""
        if self._events.is_watched:
            operation = _OPERATIONS[right]
            self._events.publish(
                MessagesTransferred(
                    principal.id, principal.app, operation, entity, tuple(message_ids)
                )
            )

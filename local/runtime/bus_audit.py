"""What the bus decides, put on record."""

from __future__ import annotations

from collections.abc import Mapping

from local.authorization.audit_log import Asker, Decisions, Use
from local.authorization.authorization import Authorization
from local.bus.security.access import decide, queue_id
from local.bus.security.audit_sink import Asked, Witness
from local.bus.security.principal import Principal, Right
from local.deployment.resources import NamespaceSpec

# The words of access.json.
_OPERATIONS: Mapping[Right, str] = {"send": "send", "listen": "receive"}


class BusRecord(Witness):
    """Tells the record of decisions what the bus of a namespace decides, and counts the uses."""

    def __init__(
        self, namespace: NamespaceSpec, authorization: Authorization, decisions: Decisions
    ) -> None:
        self._namespace = namespace
        self._authorization = authorization
        self._decisions = decisions
        self._uses: dict[tuple[str, str | None, Right, str], Use] = {}

    def decided(self, principal: Principal, right: Right, asked: Asked) -> None:
        """Ask again, at the same moment, for the reasons too, and keep the answer with them."""
        decision = decide(self._authorization, self._namespace, principal, right, asked.entity)
        asker = Asker(principal.id, principal.app, asked.probe, asked.request_id)
        self._decisions.decided("bus", decision, asker)

    def disbelieved(self, why: str, asked: Asked) -> None:
        """Keep a refusal of somebody unknown."""
        asker = Asker(probe=asked.probe, request_id=asked.request_id)
        needs = f"a valid token ({why})"
        self._decisions.refused("bus", asker, None, queue_id(self._namespace, asked.entity), needs)

    def used(self, principal: Principal, right: Right, entity: str, count: int) -> None:
        """Count what was sent or received."""
        key = (principal.id, principal.app, right, entity)
        use = self._uses.get(key)
        if use is None:
            # Found once for all messages to come: there are many, and this is their way.
            asker = Asker(principal.id, principal.app)
            use = self._decisions.use(asker, _OPERATIONS[right], queue_id(self._namespace, entity))
            self._uses[key] = use
        use.once_more(count)

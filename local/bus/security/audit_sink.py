"""Where a bus reports what it decides about rights, and which rights are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from local.bus.security.principal import Principal, Right


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What a decision was about. `request_id` is the one in the error, where there is one."""

    entity: str
    request_id: str | None
    probe: bool


class AuditSink:
    """Receives what is decided, and changes nothing. This one discards it."""

    def decided(self, principal: Principal, right: Right, request: AccessRequest) -> None:
        """Record that a principal is allowed or refused, by the rights it has now."""

    def authentication_failed(self, reason: str, request: AccessRequest) -> None:
        """Record a request without a valid token for it."""

    def used(self, principal: Principal, right: Right, entity: str, count: int) -> None:
        """Count messages sent or received, or operations done, by a right."""

    def transferred(
        self, principal: Principal, right: Right, entity: str, message_ids: Sequence[str]
    ) -> None:
        """See messages pass: sent to a queue, or delivered by it, by their ids on the bus."""

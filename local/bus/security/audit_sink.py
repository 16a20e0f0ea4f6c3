"""Who is told what a bus decides about rights, and which of them are used."""

from __future__ import annotations

from dataclasses import dataclass

from local.bus.security.principal import Principal, Right


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """For what something was asked. `request_id` is the one in an error, where there is one."""

    entity: str
    request_id: str | None
    probe: bool


class AuditSink:
    """Is told, and changes nothing. This one takes note of nothing; others do."""

    def decided(self, principal: Principal, right: Right, asked: AccessRequest) -> None:
        """Take note that a principal was allowed or refused, as it stands now."""

    def authentication_failed(self, why: str, asked: AccessRequest) -> None:
        """Take note that something was asked without a token that is good for it."""

    def used(self, principal: Principal, right: Right, entity: str, count: int) -> None:
        """Count messages sent or received, or operations done, by a right."""

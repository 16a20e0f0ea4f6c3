"""What happened since it was last asked for: coalesced, and bounded however much happens.

A flood of messages becomes counts, so that a page that reads slowly costs the cloud a fixed amount
of memory and no waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from local.authorization.audit_log import AuditLog, AuditRecord
from local.authorization.names import Names
from local.page.operations import operation_of
from local.runtime.events import CloudEvent, MessagesTransferred, PartnerAnswered
from shared.message.message_id import MessageId

MAX_ACCESSES = 200  # different ones, between two times that a page is sent anything
MAX_IDS = 20  # of messages, for each of the moves
MAX_MOVES = 100
_RECENT = 20  # decisions shown at first
_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class _Access:
    app: str | None
    identity: str | None
    operation: str
    object: str
    allowed: bool


@dataclass(slots=True)
class _Counted:
    count: int = 0
    because: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class _Move:
    app: str | None
    identity: str | None
    operation: str
    queue: str


@dataclass(slots=True)
class _Ids:
    """How many messages, and the ids of the first of them that are this relay's."""

    count: int = 0
    ids: list[str] = field(default_factory=list)

    def add(self, bus_ids: tuple[str, ...]) -> None:
        self.count += len(bus_ids)
        for bus_id in bus_ids[: MAX_IDS - len(self.ids)]:
            # Who sent a message chose its id, which could be anything: only the form of this
            # relay's is shown.
            parsed = MessageId.parse(bus_id)
            if parsed is not None:
                self.ids.append(parsed.id)


def recent(audit_log: AuditLog) -> list[object]:
    """Return the accesses of the newest decisions that are not an access audit's, newest last."""
    last = audit_log.after(0, 0).last
    activity = Activity(lambda: audit_log.names)
    for record in audit_log.after(max(0, last - _LOOKED_AT), _LOOKED_AT).decisions:
        activity.add(record)
    happened = activity.take() or {"accesses": []}
    accesses = happened["accesses"]
    return accesses[-_RECENT:] if isinstance(accesses, list) else []


class Activity:
    """Takes events from any thread, for one page. `names` returns those of the deployment."""

    def __init__(self, names: Callable[[], Names]) -> None:
        self._names = names
        self._lock = Lock()
        self._clear()

    def add(self, event: CloudEvent) -> None:
        """Take note of an event."""
        with self._lock:
            match event:
                case AuditRecord():
                    self._decided(event)
                case MessagesTransferred():
                    self._moved(event)
                case PartnerAnswered():
                    self._answered(event)

    def take(self) -> dict[str, object] | None:
        """Return what happened, for the page, and forget it; None where nothing did.

        `left_out` counts what there was no room for.
        """
        with self._lock:
            if not (self._accesses or self._moves or self._answers or self._left_out):
                return None
            taken = {
                "accesses": [
                    {
                        "app": one.app,
                        "identity": one.identity,
                        "operation": one.operation,
                        "object": one.object,
                        "allowed": one.allowed,
                        "because": counted.because,
                        "at": counted.at,
                        "count": counted.count,
                    }
                    for one, counted in self._accesses.items()
                ],
                "moves": [
                    {
                        "app": one.app,
                        "identity": one.identity,
                        "operation": one.operation,
                        "queue": one.queue,
                        "count": moved.count,
                        "ids": moved.ids,
                    }
                    for one, moved in self._moves.items()
                ],
                "partner": [
                    {
                        "accepted": accepted,
                        "status": status,
                        "count": answered.count,
                        "ids": answered.ids,
                    }
                    for (accepted, status), answered in self._answers.items()
                ],
                "left_out": self._left_out,
            }
            self._clear()
        return taken

    def _clear(self) -> None:
        self._accesses: dict[_Access, _Counted] = {}
        self._moves: dict[_Move, _Ids] = {}
        self._answers: dict[tuple[bool, int | None], _Ids] = {}
        self._left_out = 0

    def _decided(self, record: AuditRecord) -> None:
        # What the access audit tries is shown as its result. Hundreds of refusals, each of which
        # is as declared, would look like a failure here.
        if record.probe:
            return
        access = _Access(
            record.app,
            record.identity,
            "sign in" if record.action == "token" else operation_of(record.action),
            record.object,
            record.allowed,
        )
        # The newest comes last, also where the same was allowed and refused in turn.
        counted = self._accesses.pop(access, None)
        if counted is None and len(self._accesses) >= MAX_ACCESSES:
            self._left_out += 1
            return
        counted = counted or _Counted()
        counted.count += 1
        counted.because, counted.at = record.because, record.at
        self._accesses[access] = counted

    def _moved(self, event: MessagesTransferred) -> None:
        names = self._names()
        move = _Move(
            names.caller(event.app),
            names.identity(event.principal_id),
            event.operation,
            event.queue,
        )
        if move not in self._moves and len(self._moves) >= MAX_MOVES:
            self._left_out += len(event.message_ids)
            return
        self._moves.setdefault(move, _Ids()).add(event.message_ids)

    def _answered(self, event: PartnerAnswered) -> None:
        # At most as many different ones as there are statuses.
        answer = event.accepted, event.status
        self._answers.setdefault(answer, _Ids()).add((event.message_id,))

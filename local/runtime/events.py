"""What the services of a cloud do, as it happens, for whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from local.authorization.audit_log import AuditRecord


@dataclass(frozen=True, slots=True)
class MessagesTransferred:
    """A principal sent messages to a queue, or received them from it (`send`, `receive`).

    `app` is the name under which the app is deployed that its token was issued to. The ids are
    those on the bus, which their senders chose.
    """

    principal_id: str
    app: str | None
    operation: str
    queue: str
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartnerAnswered:
    """A message that came to the partner, and whether the partner accepted it.

    `status` is what its webhook answered, by a fault or by itself: None for no answer, and at the
    partner's queue. The id is empty where the queue refused a message unread.
    """

    message_id: str
    accepted: bool
    status: int | None = None


CloudEvent: TypeAlias = AuditRecord | MessagesTransferred | PartnerAnswered
Listener: TypeAlias = Callable[[CloudEvent], None]


class CloudEvents:
    """Passes each event on to all listeners, at once and in the publisher's thread.

    Services wait for their listeners, so a listener does nothing but take note. Most of the time
    there is none, and then nothing is done.
    """

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    @property
    def is_watched(self) -> bool:
        """Whether there is any listener: without one, nobody has to make an event."""
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        """Let a listener have every event from now on."""
        self._listeners = (*self._listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Let a listener have no more events."""
        self._listeners = tuple(one for one in self._listeners if one != listener)

    def publish(self, event: CloudEvent) -> None:
        """Pass an event on."""
        for listener in self._listeners:
            listener(event)

from __future__ import annotations

import pytest

from local.authorization.audit_log import AuditLog, Requester
from local.runtime.events import CloudEvent, CloudEvents, PartnerAnswered

ANSWERED = PartnerAnswered("m-1", accepted=True, status=204)


def test_every_listener_has_every_event_until_it_is_removed() -> None:
    events = CloudEvents()
    first: list[CloudEvent] = []
    second: list[CloudEvent] = []
    events.add(first.append)
    events.publish(ANSWERED)
    events.add(second.append)
    events.publish(ANSWERED)
    events.remove(first.append)
    events.publish(ANSWERED)
    assert (len(first), len(second)) == (2, 2)


def test_it_is_known_whether_anybody_watches() -> None:
    events, watched = CloudEvents(), list[bool]()
    watched.append(events.is_watched)
    events.add(print)
    watched.append(events.is_watched)
    events.remove(print)
    watched.append(events.is_watched)
    events.publish(ANSWERED)
    assert watched == [False, True, False]


def test_a_listener_may_go_while_it_has_an_event() -> None:
    events, seen = CloudEvents(), list[CloudEvent]()

    def once(event: CloudEvent) -> None:
        seen.append(event)
        events.remove(once)

    events.add(once)
    events.publish(ANSWERED)
    events.publish(ANSWERED)
    assert seen == [ANSWERED]


@pytest.mark.parametrize("probe", [False, True])
def test_the_audit_log_publishes_each_record_as_it_is_kept(*, probe: bool) -> None:
    events, seen = CloudEvents(), list[CloudEvent]()
    events.add(seen.append)
    log = AuditLog(on_record=events.publish)
    log.refused("vault", Requester("p", "a", probe=probe), None, "/vaults/v", "a valid token")
    assert seen == list(log.after(0, 10).decisions)

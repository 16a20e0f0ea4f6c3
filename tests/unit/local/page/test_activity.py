from __future__ import annotations

import json
from typing import Any

import pytest

from local.authorization.audit_log import AuditRecord
from local.authorization.grants import principals
from local.authorization.names import Names
from local.deployment.deployment import load
from local.page.activity import MAX_ACCESSES, MAX_IDS, MAX_MOVES, Activity
from local.runtime.events import MessagesTransferred, PartnerAnswered
from tests.pipeline.cloud_process import ROOT, SNAPSHOT

DEPLOYMENT = load(ROOT / "infra" / SNAPSHOT)
NAMES = Names(DEPLOYMENT)
SENDER_BUS = principals(DEPLOYMENT)["sender_bus"]
SENDER = next(app.name for app in DEPLOYMENT.apps if app.app == "sender")
DECRYPT = "Microsoft.KeyVault/vaults/keys/decrypt/action"


def decided(**changes: Any) -> AuditRecord:
    known: dict[str, Any] = {
        "service": "vault",
        "action": DECRYPT,
        "object": "key payload",
        "resource": None,
        "allowed": True,
        "because": "role 'r' at key payload",
        "app": "receiver",
        "identity": "decrypt",
        "at": "2026-01-01T00:00:00.000+00:00",
    }
    return AuditRecord(**(known | changes))


def moved(*ids: str, queue: str = "messages") -> MessagesTransferred:
    return MessagesTransferred(SENDER_BUS, SENDER, "send", queue, ids)


@pytest.fixture
def activity() -> Activity:
    return Activity(lambda: NAMES)


def taken(activity: Activity) -> dict[str, Any]:
    found = activity.take()
    assert found is not None
    return found


def test_nothing_is_shown_where_nothing_happened(activity: Activity) -> None:
    assert activity.take() is None


def test_a_decision_is_shown_once_with_the_assignment_that_decided(activity: Activity) -> None:
    activity.add(decided())
    (access,) = taken(activity)["accesses"]
    assert access == {
        "app": "receiver",
        "identity": "decrypt",
        "operation": "decrypt",
        "object": "key payload",
        "allowed": True,
        "because": "role 'r' at key payload",
        "at": "2026-01-01T00:00:00.000+00:00",
        "count": 1,
    }
    assert activity.take() is None


def test_the_same_decision_is_counted_and_not_repeated(activity: Activity) -> None:
    for number in range(1000):
        activity.add(decided(at=str(number)))
    (access,) = taken(activity)["accesses"]
    assert (access["count"], access["at"]) == (1000, "999")


def test_a_refusal_is_not_merged_into_what_was_allowed(activity: Activity) -> None:
    activity.add(decided())
    activity.add(decided(allowed=False, because="needs its grants, which are suspended"))
    activity.add(decided())
    accesses = taken(activity)["accesses"]
    # The newest comes last.
    assert [(one["allowed"], one["count"]) for one in accesses] == [(False, 1), (True, 2)]


def test_what_an_access_audit_tries_is_not_shown(activity: Activity) -> None:
    activity.add(decided(allowed=False, probe=True))
    assert activity.take() is None


def test_messages_are_shown_by_the_names_and_ids_that_callers_know(activity: Activity) -> None:
    activity.add(moved("m-1~AAAAAAAAAAAAAAAA", "m-2.r7.1~AAAAAAAAAAAAAAAA"))
    (move,) = taken(activity)["moves"]
    assert move == {
        "app": "sender",
        "identity": "sender_bus",
        "operation": "send",
        "queue": "messages",
        "count": 2,
        "ids": ["m-1", "m-2"],
    }


@pytest.mark.parametrize("planted", ["", "<script>alert(1)</script>", "a secret", "é", "x" * 500])
def test_an_id_that_is_not_this_relays_is_counted_and_not_shown(
    activity: Activity, planted: str
) -> None:
    activity.add(moved(planted))
    activity.add(PartnerAnswered(planted, accepted=True, status=204))
    shown = taken(activity)
    assert (shown["moves"][0]["count"], shown["moves"][0]["ids"]) == (1, [])
    assert (shown["partner"][0]["count"], shown["partner"][0]["ids"]) == (1, [])


def test_answers_of_the_partner_are_counted_by_status(activity: Activity) -> None:
    for status in (204, 503, 204, None):
        activity.add(PartnerAnswered("m-1", status == 204, status))
    partner = taken(activity)["partner"]
    assert [(one["accepted"], one["status"], one["count"]) for one in partner] == [
        (True, 204, 2),
        (False, 503, 1),
        (False, None, 1),
    ]


def test_what_the_partner_s_queue_accepts_is_not_taken_for_no_answer(activity: Activity) -> None:
    activity.add(PartnerAnswered("m-1", accepted=True))
    activity.add(PartnerAnswered("m-2", accepted=False))
    partner = taken(activity)["partner"]
    assert [(one["accepted"], one["ids"]) for one in partner] == [(True, ["m-1"]), (False, ["m-2"])]


def test_a_flood_of_messages_takes_bounded_room(activity: Activity) -> None:
    for number in range(100_000):
        activity.add(moved(f"m-{number}"))
        activity.add(PartnerAnswered(f"m-{number}", accepted=True, status=204))
    shown = taken(activity)
    assert shown["moves"][0]["count"] == shown["partner"][0]["count"] == 100_000
    assert len(shown["moves"][0]["ids"]) == MAX_IDS
    assert len(json.dumps(shown)) < 4096


def test_what_there_is_no_room_for_is_counted(activity: Activity) -> None:
    for number in range(MAX_ACCESSES + 5):
        activity.add(decided(identity=f"i-{number}"))
    for number in range(MAX_MOVES + 3):
        activity.add(moved("m-1", "m-2", queue=f"q-{number}"))
    shown = taken(activity)
    assert (len(shown["accesses"]), len(shown["moves"])) == (MAX_ACCESSES, MAX_MOVES)
    assert shown["left_out"] == 5 + 2 * 3

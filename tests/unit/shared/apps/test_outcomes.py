"""What becomes of a message, by what it is and by how opening and delivering it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from shared.apps.holds import MAX_HOLDS
from shared.apps.outcomes import (
    Delivered,
    Hold,
    Policy,
    Record,
    Reject,
    Retry,
    after_delivery,
    after_failure,
    after_opening,
    before_delivery,
    before_opening,
    receipt_of,
    reject_unidentified,
)
from shared.azure.queues import BusDeniedError
from shared.azure.vault import VaultDeniedError, VaultRefusedError, VaultUnavailableError
from shared.message.envelope import DataKey, DecryptionError, Fault
from shared.message.formats import NewerFormatError
from shared.message.message_id import MessageId
from shared.message.pending_receipt import PendingReceipt
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.partner.delivery import (
    MessageDeniedError,
    PartnerBlockedError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.partner.retries import Schedule
from tests.unit.shared.apps.receiver_doubles import KEY, NOW, TOKEN, received, unidentified

POLICY = Policy(Schedule.parse("5s,5m"), 30.0, 9)
DELIVERED = Receipt("mine", State.DELIVERED, NOW, 1)
UNFORESEEN_BUS = "an unforeseen error (BusDeniedError)"
REJECTED = Receipt("mine", State.REJECTED, NOW, 1)


def away(retry_after: float | None = None) -> PartnerUnavailableError:
    return PartnerUnavailableError("it answered 503", retry_after=retry_after)


@pytest.mark.parametrize(
    ("attempts", "error", "outcome"),
    [
        (0, away(), Retry(5.0, 1, "it answered 503", 5)),
        (1, away(), Retry(300.0, 2, "it answered 503", 305)),
        (1, away(60.0), Retry(60.0, 2, "it answered 503", 65)),
        (1, away(2.0), Retry(30.0, 2, "it answered 503", 35)),
        (1, away(0.0), Retry(300.0, 2, "it answered 503", 305)),
        (1, away(1e9), Retry(86_400.0, 2, "it answered 503", 305)),
        (2, away(), Reject("retries-exhausted", "it answered 503", 3)),
        (2, away(60.0), Reject("retries-exhausted", "it answered 503", 3)),
        (9999, away(), Reject("retries-exhausted", "it answered 503", 10_000)),
        (
            0,
            PartnerRefusedError("it answered 400"),
            Reject("partner-refused", "it answered 400", 1),
        ),
        (4, PartnerRefusedError("too large"), Reject("partner-refused", "too large", 5)),
        (2, PartnerDeniedError("it answered 401"), Hold(30.0, "it answered 401")),
        (
            2,
            PartnerDeniedError("it answered 401", retry_after=3600),
            Hold(3600.0, "it answered 401"),
        ),
        (2, PartnerDeniedError("it answered 401", retry_after=2), Hold(30.0, "it answered 401")),
        (
            2,
            PartnerDeniedError("it answered 401", retry_after=1e9),
            Hold(86_400.0, "it answered 401"),
        ),
        (0, MessageDeniedError("it answered 403"), Retry(5.0, 1, "it answered 403", 5)),
        (
            1,
            MessageDeniedError("it answered 403", retry_after=60),
            Retry(60.0, 2, "it answered 403", 65),
        ),
        (
            2,
            MessageDeniedError("it answered 403"),
            Reject("partner-refused", "it answered 403", 3),
        ),
        (2, PartnerBlockedError("away", retry_after=70), Hold(70, "away")),
        (9, PartnerBlockedError("away", retry_after=0), Hold(30.0, "away")),
        (2, PartnerSecretError("no JSON"), Hold(30.0, "no JSON")),
        (2, VaultUnavailableError("read", "away"), Hold(30.0, "read: away")),
        (2, VaultUnavailableError("read", "away", 503, retry_after=7), Hold(30.0, "read: away")),
        (2, VaultUnavailableError("read", "away", 429, retry_after=31), Hold(31, "read: away")),
        (2, VaultDeniedError("read", "status 403", 403), Hold(30.0, "read: status 403")),
        (2, VaultRefusedError("read", "status 404", 404), Hold(30.0, "read: status 404")),
        (0, KeyError("planted"), Retry(5.0, 1, "an unforeseen error (KeyError)", 5)),
        (0, TimeoutError(), Retry(5.0, 1, "an unforeseen error (TimeoutError)", 5)),
        (2, BusDeniedError("no"), Reject("retries-exhausted", UNFORESEEN_BUS, 3)),
    ],
)
def test_what_a_failure_means_for_a_message(
    attempts: int, error: Exception, outcome: Retry | Hold | Reject
) -> None:
    message = received(properties={"relay-attempts": str(attempts)})
    assert after_failure(message, error, POLICY, chance=0.0) == outcome


@pytest.mark.parametrize("fault", get_args(Fault))
def test_what_cannot_be_opened_is_rejected_with_its_fault(fault: Fault) -> None:
    message = received(properties={"relay-attempts": "2"})
    outcome = after_failure(message, DecryptionError(fault, "why"), POLICY, chance=0.0)
    assert outcome == Reject(f"undecryptable-{fault}", "why", 2)


DENIED = VaultDeniedError("decrypt", "status 403", 403)


@pytest.mark.parametrize(
    ("hop", "attempts", "outcome"),
    [
        (0, 0, Hold(30.0, "decrypt: status 403")),
        (10, 0, Hold(30.0, "decrypt: status 403")),
        (11, 0, Hold(60.0, "decrypt: status 403")),
        (14, 3, Hold(60.0, "decrypt: status 403")),
        (15, 0, Hold(600.0, "decrypt: status 403")),
        (999, 0, Hold(600.0, "decrypt: status 403")),
        (1000, 0, Reject("key-denied", "decrypt: status 403; held 1000 times", 0)),
        (999_999_999, 0, Reject("key-denied", "decrypt: status 403; held 999999999 times", 0)),
        (0, 9999, Hold(30.0, "decrypt: status 403")),
    ],
)
def test_what_the_vault_denies_waits_longer_each_time_and_not_for_ever(
    hop: int, attempts: int, outcome: Hold | Reject
) -> None:
    message = received(f"mine.{hop}", properties={"relay-attempts": str(attempts)})
    assert after_failure(message, DENIED, POLICY, 0.0, is_opened=False) == outcome
    assert after_failure(message, DENIED, POLICY, 0.0) == Hold(30.0, "decrypt: status 403")


def test_what_the_vault_denies_waits_for_about_a_week() -> None:
    outcomes = [
        after_failure(received(f"mine.{hop}"), DENIED, POLICY, 0.0, is_opened=False)
        for hop in range(MAX_HOLDS)
    ]
    waited = sum(one.delay for one in outcomes if isinstance(one, Hold))
    assert 6.5 < waited / 86_400 < 7.5


def test_a_short_retry_after_does_not_use_up_the_schedule() -> None:
    message, waited = received(), 0.0
    while isinstance(outcome := after_failure(message, away(2.0), POLICY, chance=0.0), Retry):
        waited += outcome.delay
        message = received(
            properties={
                "relay-attempts": str(outcome.attempts),
                "relay-schedule-used": str(outcome.schedule_used),
            }
        )
    assert waited >= 305
    assert outcome == Reject("retries-exhausted", "it answered 503", 14)


@pytest.mark.parametrize("used", ["", "x", "-1", "1.5", "306", "9" * 30, "\ud800", "٣"])
def test_what_the_schedule_used_up_is_foreign_input(used: str) -> None:
    message = received(properties={"relay-attempts": "1", "relay-schedule-used": used})
    assert after_failure(message, away(), POLICY, 0.0) == Retry(300.0, 2, "it answered 503", 305)


@pytest.mark.parametrize(("hop", "is_recorded"), [(0, True), (1, False), (9, False)])
def test_the_ledger_hears_once_that_a_message_waits_for_the_partner(
    hop: int, is_recorded: bool
) -> None:
    blocked = PartnerBlockedError("away", retry_after=70)
    outcome = after_failure(received(f"mine.{hop}"), blocked, POLICY, 0.0)
    assert outcome == Hold(70, "away", is_recorded=is_recorded)


@pytest.mark.parametrize(("hop", "delay"), [(0, 30), (10, 30), (11, 60), (15, 600), (99_999, 600)])
def test_what_the_partner_denies_comes_ever_more_seldom_and_is_never_rejected(
    hop: int, delay: int
) -> None:
    denied = PartnerDeniedError("it answered 401")
    assert after_failure(received(f"mine.{hop}"), denied, POLICY, 0.0) == Hold(
        delay, "it answered 401"
    )


NEWER = NewerFormatError(2)


@pytest.mark.parametrize("is_opened", [False, True])
@pytest.mark.parametrize(
    ("hop", "attempts", "outcome"),
    [
        (0, 0, Hold(30.0, str(NEWER))),
        (18, 3, Hold(600.0, str(NEWER))),
        (999, 0, Hold(600.0, str(NEWER))),
        (1003, 3, Reject("newer-format", f"{NEWER}; held 1000 times", 3)),
    ],
)
def test_a_newer_format_waits_for_an_upgrade_as_a_denied_key_does(
    hop: int, attempts: int, outcome: Hold | Reject, is_opened: bool
) -> None:
    message = received(f"mine.{hop}", properties={"relay-attempts": str(attempts)})
    assert after_failure(message, NEWER, POLICY, 0.0, is_opened=is_opened) == outcome


def test_what_failed_together_does_not_come_back_together() -> None:
    delays = [after_failure(received(), away(), POLICY, chance) for chance in (0.0, 0.5, 1.0)]
    assert delays == [Retry(delay, 1, "it answered 503", 5) for delay in (5.0, 5.5, 6.0)]


@pytest.mark.parametrize(
    ("deliveries", "crashes"), [(1, 0), (8, 0), (8, 8), (9, 0), (9, 1), (12, 1), (2000, 0)]
)
def test_a_message_is_opened_however_often_it_came_unless_it_ends_processes(
    deliveries: int, crashes: int
) -> None:
    """The deliveries of a message whose next queue refused it are not counted against it."""
    message = received(deliveries=deliveries)
    assert before_opening(message, POLICY, crashes) is None
    assert before_delivery(message, POLICY, crashes) is None


@pytest.mark.parametrize("deliveries", [9, 12])
@pytest.mark.parametrize("crashes", [2, 8])
def test_what_ends_its_processes_is_rejected_before_another_attempt(
    deliveries: int, crashes: int
) -> None:
    message = received(deliveries=deliveries, properties={"relay-attempts": "2"})
    detail = f"delivery {deliveries} of at most 9, after {deliveries - 1} without an outcome"
    exceeded = Reject("max-deliveries-exceeded", detail, 2)
    assert before_opening(message, POLICY, crashes) == exceeded
    assert before_delivery(message, POLICY, crashes) == exceeded


@pytest.mark.parametrize(
    ("max_deliveries", "suspect_from", "max_crashes"),
    [(2, 2, 1), (3, 2, 1), (4, 3, 1), (5, 3, 2), (9, 3, 2), (1999, 3, 2)],
)
def test_a_crash_is_only_counted_from_the_delivery_on_that_marks_it(
    max_deliveries: int, suspect_from: int, max_crashes: int
) -> None:
    policy = replace(POLICY, max_deliveries=max_deliveries)
    assert (policy.suspect_from, policy.max_crashes) == (suspect_from, max_crashes)


@pytest.mark.parametrize("deliveries", [9, 12])
def test_what_says_that_it_was_delivered_is_opened_however_often_it_came(deliveries: int) -> None:
    message = replace(received(deliveries=deliveries), pending=PendingReceipt.by(KEY, DELIVERED))
    assert before_opening(message, POLICY, 8) is None


@pytest.mark.parametrize(("body", "fault"), [("{}", "malformed"), (TOKEN, "tampered")])
def test_a_message_that_is_not_this_relays_is_rejected(body: str, fault: str) -> None:
    message = unidentified(body=body, properties={"relay-attempts": "1"})
    outcome = reject_unidentified(message)
    assert (outcome.reason, outcome.attempts) == (f"undecryptable-{fault}", 1)


@pytest.mark.parametrize("deliveries", [1, 9])
@pytest.mark.parametrize("receipt", [DELIVERED, REJECTED])
def test_a_pending_receipt_is_recorded_only_if_it_is_authentic(
    deliveries: int, receipt: Receipt
) -> None:
    authentic = PendingReceipt.by(KEY, receipt)
    message = replace(received(deliveries=deliveries), pending=authentic)
    assert before_opening(message, POLICY) is None
    assert after_opening(message, KEY) == Record(authentic)
    assert after_opening(message, DataKey.generate()) is None
    assert after_opening(replace(message, pending=PendingReceipt(receipt)), KEY) is None
    assert after_opening(replace(message, pending=None), KEY) is None


def test_a_delivery_says_what_was_delivered() -> None:
    message = received(properties={"relay-attempts": "2"})
    outcome = after_delivery(message, message.sealed(), 7)
    assert outcome == Delivered(3, 7, "a/b", "version")


DUE = NOW + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("outcome", "receipt"),
    [
        (
            Delivered(3, 7, "a/b", "version"),
            Receipt(
                "mine", State.DELIVERED, NOW, 3, key_version="version", content_type="a/b", size=7
            ),
        ),
        (
            Retry(5.0, 3, "why"),
            Receipt("mine", State.RETRYING, NOW, 3, detail="why", next_attempt_at=DUE),
        ),
        (
            Hold(5.0, "why"),
            Receipt("mine", State.RETRYING, NOW, 2, detail="why", next_attempt_at=DUE),
        ),
        (
            Reject("partner-refused", "why", 3),
            Receipt("mine", State.REJECTED, NOW, 3, detail="partner-refused: why"),
        ),
    ],
)
@pytest.mark.parametrize(("bus_id", "replay"), [("mine", 0), ("mine.3", 0), ("mine.r7.2", 7)])
def test_a_receipt_reports_the_outcome_of_the_message_and_its_replay(
    outcome: Delivered | Retry | Hold | Reject, receipt: Receipt, bus_id: str, replay: int
) -> None:
    message = received(bus_id, properties={"relay-attempts": "2"})
    assert MessageId.parse(bus_id) == message.id
    found = receipt_of(message, outcome, NOW, is_proven=True)
    assert found == replace(receipt, replay=replay)
    unproven = receipt_of(message, outcome, NOW, is_proven=False)
    assert unproven == replace(found, is_proven=False)


def test_a_long_detail_is_cut() -> None:
    assert receipt_of(received(), Hold(1.0, "d" * 300), NOW, is_proven=True).detail == "d" * 200
    detail = receipt_of(received(), Reject("r", "d" * 300, 0), NOW, is_proven=True).detail
    assert detail == "r: " + "d" * 197

"""What becomes of a received message: a value, decided without a queue, a partner or a clock.

`before_opening`, `after_opening`, `before_delivery`, `after_delivery` and `after_failure` decide,
in this order, and `receiver_queues` carries the outcome out. Delays are in seconds from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.apps.holds import growing_delay, hold_delay
from shared.azure.vault import VaultDeniedError, VaultError
from shared.errors import RelayError
from shared.message.envelope import DataKey, DecryptionError, SealedMessage
from shared.message.formats import NewerFormatError
from shared.message.pending_receipt import NewerPendingReceipt, PendingReceipt
from shared.message.receipt import Receipt
from shared.message.received import BusMessage, ReceivedMessage, UnidentifiedMessage
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

_LONGEST_DETAIL = 200
_LONGEST_ASKED = 86_400.0  # seconds, by a `Retry-After`


@dataclass(frozen=True)
class Delivered:
    """The partner has accepted it, at the `attempts`-th attempt. `size` is in bytes."""

    attempts: int
    size: int
    content_type: str
    key_version: str


@dataclass(frozen=True)
class Retry:
    """The attempt failed, and a later one may not: the next is in `delay` seconds.

    `schedule_used` are the seconds of the retry schedule that are used up by then; None for what so
    many attempts use up by the schedule alone.
    """

    delay: float
    attempts: int
    detail: str
    schedule_used: int | None = None


@dataclass(frozen=True)
class Hold:
    """It is not the message's fault: it waits `delay` seconds, and no attempt is counted.

    `is_recorded` is as of `Reject`, and false as well where the ledger has heard of it before.
    """

    delay: float
    detail: str
    is_recorded: bool = True


@dataclass(frozen=True)
class Reject:
    """It can never be delivered: it goes to an operator, with `attempts` made at the partner.

    `is_recorded` is false where the ledger must not hear of it, since the message did not prove
    that it is the one whose id it has.
    """

    reason: str
    detail: str
    attempts: int
    is_recorded: bool = True


@dataclass(frozen=True)
class Record:
    """Its outcome was carried out before: what is left to do is to send the receipt of it."""

    pending: PendingReceipt


Outcome = Delivered | Retry | Hold | Reject | Record


@dataclass(frozen=True)
class Policy:
    """When a message is tried again, and for how long."""

    schedule: Schedule
    hold_seconds: float
    max_deliveries: int

    @property
    def suspect_from(self) -> int:
        """The delivery from which on a message is handled alone, in case it ends its process."""
        return max(2, min(3, self.max_deliveries - 1))

    @property
    def max_crashes(self) -> int:
        """How often a message may end a process of one instance, from that delivery on."""
        return max(1, min(2, self.max_deliveries - self.suspect_from))


def reject_unidentified(message: UnidentifiedMessage) -> Reject:
    """Decide on a message that is not this relay's; the ledger has no row for it."""
    return _undecryptable(message, message.fault)


def before_opening(
    message: ReceivedMessage, policy: Policy, crashes: int = 0
) -> Hold | Reject | None:
    """Decide whether a message is to be opened at all: None if it is."""
    if isinstance(message.pending, NewerPendingReceipt):
        # It may say that the partner has the message: opened without it, it would be posted again.
        return _bounded_hold(message, "newer-format", message.pending.error, policy)
    # One with a pending receipt is opened all the same: its key alone can tell whose receipt it is.
    return None if message.pending else before_delivery(message, policy, crashes)


def after_opening(message: ReceivedMessage, key: DataKey) -> Record | None:
    """Decide whether an opened message is to be delivered: None if it is. `key` opened it."""
    if isinstance(message.pending, PendingReceipt) and message.pending.is_authentic(key):
        return Record(message.pending)
    return None


def before_delivery(message: ReceivedMessage, policy: Policy, crashes: int = 0) -> Reject | None:
    """Reject what ends the processes that handle it, before it is tried once more.

    `crashes` is how often it is known to have ended a process of this instance. The number of
    deliveries alone rejects nothing: it also counts those whose next queue refused the message.
    "Without an outcome" is all that is known of the partner: a receiver that ended after the
    partner accepted the message left nothing.
    """
    if message.deliveries < policy.max_deliveries or crashes < policy.max_crashes:
        return None
    before, most = message.deliveries - 1, policy.max_deliveries
    detail = f"delivery {before + 1} of at most {most}, after {before} without an outcome"
    return Reject("max-deliveries-exceeded", detail, message.attempts)


def after_delivery(message: ReceivedMessage, sealed: SealedMessage, size: int) -> Delivered:
    """Return the outcome of a message that the partner has accepted. `size` is the payload's."""
    return Delivered(
        message.attempts + 1,
        size,
        sealed.fields.content_type,
        sealed.wrapped.version,
    )


def after_failure(
    message: ReceivedMessage,
    error: Exception,
    policy: Policy,
    chance: float,
    *,
    is_opened: bool = True,
) -> Retry | Hold | Reject:
    """Decide on a message that was not opened, or not delivered, whatever the error is.

    `chance` is a random number from 0 to 1: what failed together is not to come back together.
    """
    match error:
        case DecryptionError():
            return _undecryptable(message, error)
        case PartnerBlockedError():
            # The ledger hears of it once, and not each time that the message comes and waits again.
            wait = max(1.0, error.retry_after or policy.hold_seconds)
            return Hold(wait, str(error), is_recorded=message.id.hop == 0)
        case PartnerRefusedError():
            return Reject("partner-refused", str(error), message.attempts + 1)
        case PartnerUnavailableError():
            return _retry(message, error, policy.schedule, chance)
        case MessageDeniedError():
            # Others get through, so that the secret is right, and no operator can let this one
            # through: it ends as a message that the partner refuses.
            return _retry(message, error, policy.schedule, chance, "partner-refused")
        case NewerFormatError():
            return _bounded_hold(message, "newer-format", error, policy)
        case VaultDeniedError() if not is_opened:
            return _bounded_hold(message, "key-denied", error, policy)
        case PartnerDeniedError():
            # However long it takes: a wrong secret must reject nothing. Ever more seldom, since one
            # message alone does not open the circuit breaker.
            pause = max(
                growing_delay(_holds(message), policy.hold_seconds),
                min(error.retry_after or 0, _LONGEST_ASKED),
            )
            return Hold(pause, str(error))
        case PartnerSecretError() | VaultError():
            # However long it takes: the vault has to come back, or an operator has to act.
            pause = max(policy.hold_seconds, min(error.retry_after or 0, _LONGEST_ASKED))
            return Hold(pause, str(error))
        case _:
            # A fault of ours counts as an attempt: left on the queue, the message would come back
            # at once, and use up its deliveries within minutes instead of the days of the schedule.
            # The text of an error that nobody foresaw may repeat what is secret.
            unforeseen = RelayError(f"an unforeseen error ({type(error).__name__})")
            return _retry(message, unforeseen, policy.schedule, chance)


def receipt_of(
    message: ReceivedMessage,
    outcome: Delivered | Retry | Hold | Reject,
    at: datetime,
    *,
    is_proven: bool,
) -> Receipt:
    """Return the receipt that reports an outcome to the ledger. `at` is in UTC.

    `is_proven` says whether the message was opened.
    """
    match outcome:
        case Delivered():
            return _receipt(
                message,
                State.DELIVERED,
                at,
                outcome.attempts,
                key_version=outcome.key_version,
                content_type=outcome.content_type,
                size=outcome.size,
                is_proven=is_proven,
            )
        case Retry() | Hold():
            attempts = outcome.attempts if isinstance(outcome, Retry) else message.attempts
            return _receipt(
                *(message, State.RETRYING, at, attempts, outcome.detail),
                is_proven=is_proven,
                next_attempt_at=at + timedelta(seconds=outcome.delay),
            )
        case Reject():
            detail = f"{outcome.reason}: {outcome.detail}"
            return _receipt(
                message, State.REJECTED, at, outcome.attempts, detail, is_proven=is_proven
            )


def _undecryptable(message: BusMessage, error: DecryptionError) -> Reject:
    return Reject(f"undecryptable-{error.fault}", error.detail, message.attempts)


def _bounded_hold(
    message: ReceivedMessage, reason: str, error: Exception, policy: Policy
) -> Hold | Reject:
    """Let a message wait that nobody here can open: the vault denies it, or its format is newer.

    Whoever may send can name a version that is disabled, or a format. So the pause grows, and after
    about a week it is an operator's to replay the message, once it can be opened or is given up.
    """
    holds = _holds(message)
    delay = hold_delay(holds, policy.hold_seconds)
    if delay is None:
        return Reject(reason, f"{error}; held {holds} times", message.attempts)
    return Hold(delay, str(error))


def _holds(message: ReceivedMessage) -> int:
    # Each hop but those after an attempt was a hold. Whoever writes another id rejects their own.
    return max(0, message.id.hop - message.attempts)


def _retry(
    message: ReceivedMessage,
    error: RelayError,
    schedule: Schedule,
    chance: float,
    at_last: str = "retries-exhausted",
) -> Retry | Reject:
    attempts = message.attempts + 1
    later = schedule.next(message.attempts, message.schedule_used, error.retry_after, chance)
    if later is None:
        return Reject(at_last, str(error), attempts)
    return Retry(later.delay, attempts, str(error), later.used)


def _receipt(
    message: ReceivedMessage,
    state: State,
    at: datetime,
    attempts: int,
    detail: str | None = None,
    **opened: Any,
) -> Receipt:
    shown = detail and detail[:_LONGEST_DETAIL]
    return Receipt(message.id.id, state, at, attempts, message.id.replay or 0, shown, **opened)

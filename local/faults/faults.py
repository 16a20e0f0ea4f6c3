"""Faults on demand: which requests get a wrong answer, or none. Pure decisions."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from local.faults.fault_document import FaultDocument, FaultError

Service = Literal["partner", "vault", "identity", "bus"]
HttpAnswer = Literal["status", "redirect", "slow", "hang", "close", "drop"]
BusAnswer = Literal["full", "disabled", "send-disabled", "receive-disabled", "throttled"]
Answer = HttpAnswer | BusAnswer
SERVICES: tuple[Service, ...] = get_args(Service)
BUS_ANSWERS: tuple[BusAnswer, ...] = get_args(BusAnswer)
ANSWERS: tuple[Answer, ...] = (*get_args(HttpAnswer), *BUS_ANSWERS)
OPERATIONS = (
    *(
        "keys/list",
        "keys/versions",
        "keys/get",
        "keys/rotate",
        "keys/update",
        "keys/encrypt",
        "keys/decrypt",
    ),
    *("keys/wrapKey", "keys/unwrapKey"),
    *("secrets/list", "secrets/versions", "secrets/get", "secrets/set"),
)
MAX_ACTIVE = 100
MAX_SECONDS = 3600.0
_MAX_TIMES = 1_000_000_000
_MAX_BYTES = 80 * 1024**3  # of the largest queue
# What a fault may only have with one service, or with one answer.
_OF_SERVICE = {
    "id": "partner",
    "content_type": "partner",
    "body": "partner",
    "deliver_first": "partner",
    "vault": "vault",
    "operation": "vault",
    "queue": "bus",
}
# What a queue refuses in each state. Who sends or receives on a link that is open already learns
# of a disabled queue by its detach (`keep-…`); of a full or throttled one, by the next operation.
_REFUSED: dict[Answer, frozenset[str]] = {
    "full": frozenset({"send", "forward"}),
    "disabled": frozenset(
        {
            *("attach-send", "keep-send", "send", "forward"),
            *("attach-receive", "keep-receive", "receive", "browse"),
        }
    ),
    # A queue that takes nothing cannot be browsed either. Source: azure-sdk-for-net issue 22454.
    "send-disabled": frozenset({"attach-send", "keep-send", "send", "forward", "browse"}),
    "receive-disabled": frozenset({"attach-receive", "keep-receive", "receive"}),
    "throttled": frozenset({"attach-send", "send", "attach-receive", "receive", "browse"}),
}
_COUNTABLE = ("full", "throttled")  # those of a queue that refuse single requests
_OF_ANSWER = {
    "status": ("status", "redirect"),
    "retry_after": ("status",),
    "seconds": ("slow",),
    "above": ("full",),
}


@dataclass(frozen=True)
class ObservedRequest:
    """A request, as far as faults look at it.

    `operation` is `keys/decrypt`, for example; at a `queue`, which holds `held` bytes, `send`.
    """

    service: Service
    id: str = ""
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)
    vault: str = ""
    operation: str = ""
    queue: str = ""
    held: int = 0


@dataclass(frozen=True)
class Fault:
    """An answer to inject, and the requests that get it.

    - `status`: answer with it (and `retry_after` where given); `redirect`: 307 or another 3xx;
    - `slow`: answer as usual, `seconds` later; `hang`: never answer;
    - `close`: end the connection in the middle of the answer's first lines;
    - `drop`: reset the connection at once, without TLS's close_notify;
    - `full`, `disabled`, `send-disabled`, `receive-disabled`, `throttled`: the bus refuses what a
      `queue` in that state refuses, or what every queue does where none is named.

    A request must match every property given: `id`, `content_type` (in any case) and `body` are
    substrings of a message's; `vault` and `operation` name a vault and the requested operation,
    `keys/decrypt` or `decrypt`. It hits the next `times` of these requests, or all, each with
    `probability`. A queue is `full` always, or with `above` while it holds so many bytes: as one is
    of a size that Azure does not have. The partner keeps no message that hit a fault, unless
    `deliver_first`: then it accepts the message before it answers.
    """

    service: Service
    answer: Answer
    status: int | None = None
    retry_after: str | None = None
    seconds: float | None = None
    deliver_first: bool = False
    times: int | None = None
    probability: float = 1.0
    seed: int | None = None
    id: str | None = None
    content_type: str | None = None
    body: str | None = None
    vault: str | None = None
    operation: str | None = None
    queue: str | None = None
    above: int | None = None

    @classmethod
    def from_json(cls, document: object) -> Fault:
        """Read a JSON object with these names. Raises `FaultError`, which names what is wrong."""
        given = FaultDocument.of(document)
        service = given.choice("service", SERVICES)
        answer = given.choice("answer", ANSWERS)
        _reject_misplaced(given, service, answer)
        fault = cls(
            service=service,
            answer=answer,
            status=_status(given, answer),
            retry_after=given.header("retry_after"),
            seconds=given.decimal("seconds", MAX_SECONDS, required=answer == "slow"),
            deliver_first=given.flag("deliver_first", default=False),
            times=given.whole("times", 1, _MAX_TIMES),
            probability=given.decimal("probability", 1.0) or 1.0,
            seed=given.whole("seed", 0, 2**63 - 1),
            id=given.matcher("id"),
            content_type=given.matcher("content_type"),
            body=given.matcher("body"),
            vault=given.matcher("vault"),
            operation=_operation(given),
            queue=given.matcher("queue"),
            above=given.whole("above", 0, _MAX_BYTES),
        )
        given.reject_unread()
        return fault

    def as_json(self) -> dict[str, object]:
        """Return what was given, without what was not."""
        return {name: value for name, value in vars(self).items() if value != _DEFAULTS.get(name)}

    def matches(self, request: ObservedRequest) -> bool:
        """Return whether a request matches all properties given."""
        return (
            self.service == request.service
            and (self.id is None or self.id in request.id)
            and (
                self.content_type is None
                or self.content_type.lower() in request.content_type.lower()
            )
            and (self.body is None or self.body.encode() in request.body)
            and (self.vault is None or self.vault.lower() == request.vault.lower())
            and (self.operation is None or _names(self.operation, request.operation))
            and (self.queue is None or self.queue.lower() == request.queue.lower())
            and (self.above is None or request.held >= self.above)
            and (self.service != "bus" or request.operation in _REFUSED[self.answer])
        )


_DEFAULTS: dict[str, object] = {"deliver_first": False, "probability": 1.0}


class ActiveFault:
    """A fault in force, under its number."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number = number
        self.fault = fault
        self.hits = 0
        self._chance = random.Random(fault.seed)  # noqa: S311 - to be repeated by its seed, not a secret

    @property
    def spent(self) -> bool:
        """Whether it has hit as many requests as it should."""
        return self.fault.times is not None and self.hits >= self.fault.times

    def hit(self, request: ObservedRequest) -> bool:
        """Decide on one request, and count it."""
        if not self.fault.matches(request):
            return False
        # Drawn only for requests that it matches, so that others do not change the sequence.
        if self.fault.probability < 1 and self._chance.random() >= self.fault.probability:
            return False
        self.hits += 1
        return True

    def as_json(self) -> dict[str, object]:
        """Return what was given, its number and how many requests it hit."""
        return {"fault": self.number, **self.fault.as_json(), "hits": self.hits}


class Faults:
    """All faults in force, in the order set; none at first. `hits` counts by service."""

    def __init__(self, new_seed: Callable[[], int] = lambda: secrets.randbelow(2**32)) -> None:
        self.hits: Counter[Service] = Counter()
        self._active: list[ActiveFault] = []
        self._last_number = 0
        self._new_seed = new_seed

    def set(self, fault: Fault) -> int:
        """Put a fault in force; return its number. FaultError if there are too many."""
        if len(self._active) >= MAX_ACTIVE:
            raise FaultError(f"{MAX_ACTIVE} faults are in force: clear some first")
        if fault.probability < 1 and fault.seed is None:
            fault = replace(fault, seed=self._new_seed())
        self._last_number += 1
        self._active.append(ActiveFault(self._last_number, fault))
        return self._last_number

    def active(self) -> list[ActiveFault]:
        """Return those in force."""
        return list(self._active)

    def any_at(self, service: Service) -> bool:
        """Return whether a service has any, at almost no cost."""
        return any(one.fault.service == service for one in self._active)

    def clear_number(self, number: int) -> ActiveFault | None:
        """Take one out of force and return it, with all that it has hit; None if it was not."""
        found = next((one for one in self._active if one.number == number), None)
        if found is not None:
            self._active.remove(found)
        return found

    def clear(self, service: Service | None = None) -> int:
        """Take out all, or those of one service; return how many."""
        return self._keep(lambda one: service is not None and one.fault.service != service)

    def find(self, request: ObservedRequest) -> Fault | None:
        """Return the first fault set that a request matches, and count nothing."""
        return next((one.fault for one in self._active if one.fault.matches(request)), None)

    def decide(self, request: ObservedRequest) -> Fault | None:
        """Return the fault to inject for a request: the first one set that hits it."""
        for one in self._active:
            if one.hit(request):
                self.hits[request.service] += 1
                if one.spent:
                    self._active.remove(one)
                return one.fault
        return None

    def _keep(self, kept: Callable[[ActiveFault], bool]) -> int:
        before = len(self._active)
        self._active = [one for one in self._active if kept(one)]
        return before - len(self._active)


def _names(name: str, operation: str) -> bool:
    return name in (operation, operation.partition("/")[2])


def _operation(given: FaultDocument) -> str | None:
    name = given.matcher("operation")
    if name is not None and not any(_names(name, one) for one in OPERATIONS):
        raise FaultError(f"operation must be one of {', '.join(OPERATIONS)}")
    return name


def _status(given: FaultDocument, answer: Answer) -> int | None:
    if answer == "redirect":
        return given.whole("status", 300, 399) or 307
    if answer == "status":
        return given.number("status", low=300, high=599)
    return given.whole("status", 300, 599)


def _reject_misplaced(given: FaultDocument, service: Service, answer: Answer) -> None:
    _reject_bus_mismatch(given, service, answer)
    if answer == "redirect" and service != "partner":
        raise FaultError("only the partner can answer with a redirect")
    if answer == "slow" and given.has("deliver_first"):
        raise FaultError("deliver_first does not go with slow, which delivers in any case")
    for name, only_of in _OF_SERVICE.items():
        if given.has(name) and service != only_of:
            raise FaultError(f"{name} is only for faults of the {only_of}")
    for name, answers in _OF_ANSWER.items():
        if given.has(name) and answer not in answers:
            raise FaultError(f"{name} is only for the answer {' or '.join(answers)}")


def _reject_bus_mismatch(given: FaultDocument, service: Service, answer: Answer) -> None:
    if (answer in BUS_ANSWERS) != (service == "bus"):
        kind = "a queue of the bus" if answer in BUS_ANSWERS else "a service over HTTP"
        raise FaultError(f"the answer {answer} is only for {kind}, not for the {service}")
    if service != "bus" or answer in _COUNTABLE:
        return
    for name in ("times", "probability", "seed"):
        if given.has(name):
            raise FaultError(f"{name} is not for {answer}: a queue is so until it is cleared")

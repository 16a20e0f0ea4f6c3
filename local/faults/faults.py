"""Faults on demand: which request is answered otherwise than it should be. Pure decisions."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from local.faults.fault_document import Document, FaultError

Service = Literal["partner", "vault", "identity"]
Answer = Literal["status", "redirect", "slow", "hang", "close", "drop"]
SERVICES: tuple[Service, ...] = get_args(Service)
ANSWERS: tuple[Answer, ...] = get_args(Answer)
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
MAX_STANDING = 100
MAX_SECONDS = 3600.0
_MOST = 1_000_000_000
# What a fault may only have with one service, or with one answer.
_OF_SERVICE = {
    "id": "partner",
    "content_type": "partner",
    "body": "partner",
    "taken": "partner",
    "vault": "vault",
    "operation": "vault",
}
_OF_ANSWER = {"status": ("status", "redirect"), "retry_after": ("status",), "seconds": ("slow",)}


@dataclass(frozen=True)
class Asked:
    """A request, as far as faults look at it; `operation` is `keys/decrypt`, for example."""

    at: Service
    id: str = ""
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)
    vault: str = ""
    operation: str = ""


@dataclass(frozen=True)
class Fault:
    """An answer to be played, and to which requests.

    - `status`: answer it (with `retry_after` where given); `redirect`: 307 or another 3xx;
    - `slow`: do as asked, `seconds` later; `hang`: never answer;
    - `close`: end the connection in the middle of the answer's first lines;
    - `drop`: break the connection at once, without TLS's goodbye.

    Every mark given must be there: `id`, `content_type` (in any case) and `body` are parts of a
    message's; `vault` and `operation` name a vault and what is asked of it, `keys/decrypt` or
    `decrypt`. It strikes the next `times` of these requests, or all, each with `probability`.
    The partner keeps no message that met a fault, unless `taken`: then it takes it first.
    """

    at: Service
    answer: Answer
    status: int | None = None
    retry_after: str | None = None
    seconds: float | None = None
    taken: bool = False
    times: int | None = None
    probability: float = 1.0
    seed: int | None = None
    id: str | None = None
    content_type: str | None = None
    body: str | None = None
    vault: str | None = None
    operation: str | None = None

    @classmethod
    def from_json(cls, document: object) -> Fault:
        """Read a JSON object with these names. Raises `FaultError`, which names what is wrong."""
        given = Document.of(document)
        at = given.choice("at", SERVICES)
        answer = given.choice("answer", ANSWERS)
        _refuse_strangers(given, at, answer)
        fault = cls(
            at=at,
            answer=answer,
            status=_status(given, answer),
            retry_after=given.header("retry_after"),
            seconds=given.number("seconds", MAX_SECONDS, needed=answer == "slow"),
            taken=given.flag("taken"),
            times=given.whole("times", 1, _MOST),
            probability=given.number("probability", 1.0) or 1.0,
            seed=given.whole("seed", 0, 2**63 - 1),
            id=given.text("id"),
            content_type=given.text("content_type"),
            body=given.text("body"),
            vault=given.text("vault"),
            operation=_operation(given),
        )
        given.done()
        return fault

    def as_json(self) -> dict[str, object]:
        """Return what was told, without what was not."""
        return {name: value for name, value in vars(self).items() if value != _UNTOLD.get(name)}

    def concerns(self, asked: Asked) -> bool:
        """Tell whether a request has all the marks."""
        return (
            self.at == asked.at
            and (self.id is None or self.id in asked.id)
            and (
                self.content_type is None or self.content_type.lower() in asked.content_type.lower()
            )
            and (self.body is None or self.body.encode() in asked.body)
            and (self.vault is None or self.vault.lower() == asked.vault.lower())
            and (self.operation is None or _names(self.operation, asked.operation))
        )


_UNTOLD: dict[str, object] = {"taken": False, "probability": 1.0}


class Standing:
    """A fault in force, under its number."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number = number
        self.fault = fault
        self.struck = 0
        self._chance = random.Random(fault.seed)  # noqa: S311 - a game to be repeated, no secret

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it should."""
        return self.fault.times is not None and self.struck >= self.fault.times

    def strikes(self, asked: Asked) -> bool:
        """Decide on one request, and count it."""
        if not self.fault.concerns(asked):
            return False
        # Drawn only for requests that it concerns, so that others do not change the sequence.
        if self.fault.probability < 1 and self._chance.random() >= self.fault.probability:
            return False
        self.struck += 1
        return True

    def as_json(self) -> dict[str, object]:
        """Return what was told, its number and how many requests it struck."""
        return {"fault": self.number, **self.fault.as_json(), "struck": self.struck}


class Faults:
    """All faults in force, in the order told; none at first. `struck` counts by service."""

    def __init__(self, new_seed: Callable[[], int] = lambda: secrets.randbelow(2**32)) -> None:
        self.struck: Counter[Service] = Counter()
        self._standing: list[Standing] = []
        self._last = 0
        self._new_seed = new_seed

    def set(self, fault: Fault) -> int:
        """Put a fault in force; return its number. FaultError if there are too many."""
        if len(self._standing) >= MAX_STANDING:
            raise FaultError(f"{MAX_STANDING} faults are in force: clear some first")
        if fault.probability < 1 and fault.seed is None:
            fault = replace(fault, seed=self._new_seed())
        self._last += 1
        self._standing.append(Standing(self._last, fault))
        return self._last

    def standing(self) -> list[Standing]:
        """Return those in force."""
        return list(self._standing)

    def any_at(self, service: Service) -> bool:
        """Tell whether a service has any, at almost no cost."""
        return any(one.fault.at == service for one in self._standing)

    def clear_number(self, number: int) -> bool:
        """Take one out of force; False if it was not."""
        return self._keep(lambda one: one.number != number) == 1

    def clear(self, service: Service | None = None) -> int:
        """Take out all, or those of one service; return how many."""
        return self._keep(lambda one: service is not None and one.fault.at != service)

    def decide(self, asked: Asked) -> Fault | None:
        """Return what to play for a request: the first fault told that strikes it."""
        for one in self._standing:
            if one.strikes(asked):
                self.struck[asked.at] += 1
                if one.spent:
                    self._standing.remove(one)
                return one.fault
        return None

    def _keep(self, kept: Callable[[Standing], bool]) -> int:
        before = len(self._standing)
        self._standing = [one for one in self._standing if kept(one)]
        return before - len(self._standing)


def _names(told: str, operation: str) -> bool:
    return told in (operation, operation.partition("/")[2])


def _operation(given: Document) -> str | None:
    told = given.text("operation")
    if told is not None and not any(_names(told, one) for one in OPERATIONS):
        raise FaultError(f"operation must be one of {', '.join(OPERATIONS)}")
    return told


def _status(given: Document, answer: Answer) -> int | None:
    if answer == "redirect":
        return given.whole("status", 300, 399) or 307
    return given.whole("status", 300, 599, needed=answer == "status")


def _refuse_strangers(given: Document, at: Service, answer: Answer) -> None:
    if answer == "redirect" and at != "partner":
        raise FaultError("only the partner can answer with a redirect")
    if answer == "slow" and given.has("taken"):
        raise FaultError("taken is said of answers that are none; slow takes in any case")
    for name, service in _OF_SERVICE.items():
        if given.has(name) and at != service:
            raise FaultError(f"{name} can only be told of a fault at the {service}")
    for name, answers in _OF_ANSWER.items():
        if given.has(name) and answer not in answers:
            raise FaultError(f"{name} can only be told with the answer {' or '.join(answers)}")

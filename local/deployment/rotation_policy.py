"""The rotation policy of a key: what happens at which time of its life.

Source: "Configure cryptographic key auto-rotation in Azure Key Vault", and the REST API reference,
Update Key Rotation Policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_DURATION = re.compile(r"P(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,6})D)?", re.ASCII)
_DAY = 86_400  # seconds
_UNIT_DAYS = (365, 30, 1)
_SHORTEST_EXPIRY = 28  # days
_SHORTEST_SPAN = 7  # days


class RotationPolicyError(Exception):
    """A policy that Key Vault refuses; `path` names the part of it."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.path = path
        self.why = why


@dataclass(frozen=True)
class LifetimeAction:
    """`action` is Rotate or Notify; one of the times is given, as an ISO 8601 duration."""

    action: str
    after_create: str | None = None
    before_expiry: str | None = None


_DEFAULT_NOTICE = LifetimeAction("Notify", before_expiry="P30D")


@dataclass(frozen=True)
class RotationPolicy:
    """A policy. `expiry` is the life of each version that a rotation makes, None for no end.

    `created` and `updated` are in seconds since 1970, None for the one that every key has.
    """

    actions: tuple[LifetimeAction, ...] = (_DEFAULT_NOTICE,)
    expiry: str | None = None
    created: int | None = None
    updated: int | None = None

    def expires(self, now: int) -> int | None:
        """Return when a version expires that is made now."""
        return None if self.expiry is None else now + days(self.expiry, "") * _DAY

    def set_at(self, now: int, before: RotationPolicy | None) -> RotationPolicy:
        """Return the policy as it is kept: with its times, and a notice where it has none."""
        created = before.created if before and before.created is not None else now
        actions = self.actions
        if all(action.action != "Notify" for action in actions):
            actions = (*actions, _DEFAULT_NOTICE)
        return replace(self, actions=actions, created=created, updated=now)


def check(policy: RotationPolicy) -> None:
    """Raise RotationPolicyError for what Key Vault refuses."""
    expiry = None if policy.expiry is None else days(policy.expiry, "attributes.expiryTime")
    if expiry is not None and expiry < _SHORTEST_EXPIRY:
        raise RotationPolicyError("attributes.expiryTime", "must be at least 28 days")
    kinds = [action.action for action in policy.actions]
    if len(set(kinds)) < len(kinds):
        raise RotationPolicyError("lifetimeActions", "must have each action at most once")
    for position, action in enumerate(policy.actions):
        _check_action(action, expiry, f"lifetimeActions[{position}]")


def _check_action(action: LifetimeAction, expiry: int | None, path: str) -> None:
    trigger = f"{path}.trigger"
    if (action.after_create is None) == (action.before_expiry is None):
        raise RotationPolicyError(trigger, "must be one of timeAfterCreate and timeBeforeExpiry")
    span = days(action.after_create or action.before_expiry or "", trigger)
    if action.action == "Notify":
        if action.after_create is not None:
            raise RotationPolicyError(trigger, "must be timeBeforeExpiry for Notify")
        return
    if span < _SHORTEST_SPAN:
        raise RotationPolicyError(trigger, "must be at least 7 days")
    if action.before_expiry is not None and expiry is None:
        raise RotationPolicyError(trigger, "timeBeforeExpiry needs attributes.expiryTime")
    if expiry is not None and span > expiry - _SHORTEST_SPAN:
        raise RotationPolicyError(trigger, "must leave 7 days of the time to expiry")


def days(duration: str, path: str) -> int:
    """Read a duration of years, months and days; a year counts 365 days and a month 30.

    Raises RotationPolicyError for any other form.
    """
    found = _DURATION.fullmatch(duration)
    if not found or not any(found.groups()):
        raise RotationPolicyError(path, "must be a duration like P90D, P3M or P2Y")
    return sum(
        int(count or 0) * unit for count, unit in zip(found.groups(), _UNIT_DAYS, strict=True)
    )

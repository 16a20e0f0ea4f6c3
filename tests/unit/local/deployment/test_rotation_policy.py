from __future__ import annotations

import pytest

from local.deployment.rotation_policy import (
    LifetimeAction,
    RotationPolicy,
    RotationPolicyError,
    check,
    days,
)

ROTATE = LifetimeAction("Rotate", after_create="P90D")
NOTIFY = LifetimeAction("Notify", before_expiry="P30D")


@pytest.mark.parametrize(
    ("text", "expected"), [("P1Y", 365), ("P2M", 60), ("P28D", 28), ("P1Y2M3D", 428)]
)
def test_durations(text: str, expected: int) -> None:
    assert days(text, "") == expected


@pytest.mark.parametrize("text", ["", "P", "P1W", "PT1H", "1D", "P-1D", "P1.5D", "p1d", "P1D "])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(RotationPolicyError, match="somewhere must be a duration"):
        days(text, "somewhere")


@pytest.mark.parametrize(
    "policy",
    [
        RotationPolicy(),
        RotationPolicy(()),
        RotationPolicy((ROTATE,)),
        RotationPolicy((ROTATE, NOTIFY), "P2Y"),
        RotationPolicy((LifetimeAction("Rotate", before_expiry="P7D"),), "P28D"),
    ],
)
def test_what_key_vault_takes(policy: RotationPolicy) -> None:
    check(policy)


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        (RotationPolicy((), "P27D"), "attributes.expiryTime"),
        (RotationPolicy((), "soon"), "attributes.expiryTime"),
        (RotationPolicy((NOTIFY, NOTIFY)), "lifetimeActions"),
        (RotationPolicy((LifetimeAction("Rotate"),)), "lifetimeActions[0].trigger"),
        (RotationPolicy((LifetimeAction("Rotate", "P9D", "P9D"),)), "lifetimeActions[0].trigger"),
        (RotationPolicy((NOTIFY, LifetimeAction("Rotate", "P6D"))), "lifetimeActions[1].trigger"),
        (RotationPolicy((LifetimeAction("Notify", "P9D"),)), "lifetimeActions[0].trigger"),
        (
            RotationPolicy((LifetimeAction("Rotate", before_expiry="P9D"),)),
            "lifetimeActions[0].trigger",
        ),
        (RotationPolicy((LifetimeAction("Rotate", "P89D"),), "P90D"), "lifetimeActions[0].trigger"),
    ],
)
def test_what_key_vault_refuses_is_named(policy: RotationPolicy, path: str) -> None:
    with pytest.raises(RotationPolicyError) as caught:
        check(policy)
    assert caught.value.path == path


def test_a_policy_keeps_the_time_that_it_was_first_set() -> None:
    first = RotationPolicy((ROTATE,)).set_at(5, None)
    second = RotationPolicy((NOTIFY,), "P90D").set_at(9, first)
    assert (first.created, first.updated, second.created, second.updated) == (5, 5, 5, 9)
    assert first.actions == (ROTATE, NOTIFY)
    assert second.actions == (NOTIFY,)
    assert (first.expires(0), second.expires(1)) == (None, 90 * 86_400 + 1)

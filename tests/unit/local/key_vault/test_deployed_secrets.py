from __future__ import annotations

import pytest

from local.deployment.resources import SecretSpec
from local.key_vault.deployed_secrets import to_write
from local.key_vault.store import SecretVersion

OPERATORS = SecretSpec("/s", "partner", None, made_once=True)
DEPLOYMENTS = SecretSpec("/s", "database", None)


def version(value: str, *, deployed: bool) -> SecretVersion:
    return SecretVersion("v", 1, value, None, deployed=deployed)


CLOUDS, SET = (version("old", deployed=True), version("set", deployed=False))


@pytest.mark.parametrize(
    ("spec", "newest", "known", "changed", "written"),
    [
        (OPERATORS, None, "new", False, "new"),
        (OPERATORS, CLOUDS, "old", False, None),
        (OPERATORS, CLOUDS, "old", True, None),
        (OPERATORS, CLOUDS, "new", False, "new"),
        (OPERATORS, CLOUDS, None, True, None),
        (OPERATORS, SET, "new", True, None),
        (DEPLOYMENTS, None, "new", False, "new"),
        (DEPLOYMENTS, CLOUDS, "old", False, None),
        (DEPLOYMENTS, CLOUDS, "old", True, "old"),
        (DEPLOYMENTS, CLOUDS, "new", False, "new"),
        (DEPLOYMENTS, SET, "new", False, "new"),
        (DEPLOYMENTS, SET, None, False, None),
        (DEPLOYMENTS, SET, None, True, "set"),
    ],
)
def test_what_a_deployment_writes(
    spec: SecretSpec, newest: SecretVersion | None, known: str | None, changed: bool, written: str
) -> None:
    assert to_write(spec, newest, known, changed=changed) == written


def test_what_nobody_knows_is_made_up_once() -> None:
    made = {to_write(DEPLOYMENTS, None, None, changed=False) for _ in range(9)}
    assert len(made) == 9
    assert all(value and len(value) > 40 for value in made)

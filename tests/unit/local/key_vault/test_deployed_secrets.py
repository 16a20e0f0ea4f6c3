from __future__ import annotations

import pytest

from local.deployment.resources import SecretSpec
from local.key_vault.deployed_secrets import to_write
from local.key_vault.objects import Attributes, SecretVersion

OPERATORS = SecretSpec("/s", "partner", None, made_once=True)
DEPLOYMENTS = SecretSpec("/s", "database", None)
LITERAL = SecretSpec("/s", "region", None, value="in the template")


def version(value: str, *, deployed: bool) -> SecretVersion:
    return SecretVersion("v", Attributes(1, 1), value, deployed=deployed)


CLOUDS, SET = (version("old", deployed=True), version("set", deployed=False))
TEMPLATES = version("in the template", deployed=True)


@pytest.mark.parametrize(
    ("spec", "versions", "known", "changed", "written"),
    [
        (OPERATORS, (), "new", False, "new"),
        (OPERATORS, (CLOUDS,), "old", False, None),
        (OPERATORS, (CLOUDS,), "old", True, None),
        (OPERATORS, (CLOUDS,), "new", False, "new"),
        (OPERATORS, (CLOUDS,), None, True, None),
        (OPERATORS, (SET,), "new", True, None),
        (DEPLOYMENTS, (), "new", False, "new"),
        (DEPLOYMENTS, (CLOUDS,), "old", False, None),
        (DEPLOYMENTS, (CLOUDS,), "old", True, "old"),
        (DEPLOYMENTS, (CLOUDS,), "new", False, "new"),
        (DEPLOYMENTS, (SET,), "new", False, "new"),
        (DEPLOYMENTS, (SET,), None, False, None),
        (DEPLOYMENTS, (SET,), None, True, "set"),
        (LITERAL, (), None, False, "in the template"),
        (LITERAL, (TEMPLATES,), None, False, None),
        (LITERAL, (CLOUDS,), None, False, "in the template"),
    ],
)
def test_what_a_deployment_writes(
    spec: SecretSpec,
    versions: tuple[SecretVersion, ...],
    known: str | None,
    changed: bool,
    written: str,
) -> None:
    assert to_write(spec, versions, known, changed=changed) == written


def test_what_a_user_set_stays_until_the_deployment_has_another_value() -> None:
    versions = (CLOUDS, SET)
    assert to_write(DEPLOYMENTS, versions, "old", changed=False) is None
    assert to_write(DEPLOYMENTS, versions, "old", changed=True) == "set"
    assert to_write(DEPLOYMENTS, versions, "new", changed=False) == "new"
    assert to_write(LITERAL, (TEMPLATES, SET), None, changed=False) is None


def test_what_nobody_knows_is_made_up_once() -> None:
    made = {to_write(DEPLOYMENTS, (), None, changed=False) for _ in range(9)}
    assert len(made) == 9
    assert all(value and len(value) > 40 for value in made)

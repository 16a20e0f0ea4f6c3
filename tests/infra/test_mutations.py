"""Each deployment that departs from the declaration by one step is named before it is deployed.

The same steps as those that `prove` is shown, those that no operation shows among them: a role at
the group where there is but one such object, or an action that has no harmless try.
"""

from __future__ import annotations

import pytest

from checks.access import load as load_access
from checks.differences import differences
from checks.package import ROOT
from checks.roles import DATA_ACTIONS
from checks.snapshot import load as load_snapshot
from tests.pipeline.allowed import Snapshot
from tests.pipeline.mutations import Mutation, every, expected, wider_roles

INFRA = ROOT / "infra"
ACCESS = load_access(INFRA / "access.json")
ROLES, POLICIES = "local.snapshot.json", "local-policies.snapshot.json"


def unnamed(mutations: list[Mutation]) -> list[str]:
    """Name the mutations of which the check of a deployment says nothing that it did not before."""
    return [one.name for one in mutations if not differences(ACCESS, one.document)]  # type: ignore[arg-type] # the same document


@pytest.mark.long
@pytest.mark.parametrize("name", [ROLES, POLICIES])
def test_each_departure_is_named_whether_an_operation_shows_it_or_not(name: str) -> None:
    assert differences(ACCESS, load_snapshot(INFRA / name)) == []
    original = Snapshot.load(INFRA / name)
    mutations = list(every(original))
    assert any(not expected(original, one) for one in mutations)
    assert unnamed(mutations) == []


@pytest.mark.long
def test_a_role_that_is_wider_by_any_data_action_is_named() -> None:
    mutations = list(wider_roles(Snapshot.load(INFRA / ROLES), DATA_ACTIONS))
    assert len(mutations) > len(DATA_ACTIONS)
    assert unnamed(mutations) == []

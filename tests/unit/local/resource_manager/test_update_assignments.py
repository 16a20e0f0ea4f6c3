"""What an update may and may not do to role assignments that exist already."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from local.resource_manager.update import blockers, blockers_later
from tests.unit.local.resource_manager.planting import (
    IDENTITY,
    QUEUE,
    SNAPSHOTS,
    Json,
    add,
    existing,
    places,
    put,
    resource,
    snapshot,
)

NO_UPDATE = "RoleAssignmentUpdateNotPermitted"
GUID = "00000000-0000-4000-8000-0000000000{:02}"
SENDING = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"
RECEIVING = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0"


def assignment(document: Json, number: int, **properties: object) -> Json:
    """Give an assignment at a queue, to a principal outside if no other is said."""
    queue = resource(document, QUEUE)["id"]
    return {
        "id": f"{queue}/providers/Microsoft.Authorization/roleAssignments/{GUID.format(number)}",
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{SENDING}",
            "principalId": GUID.format(77),
            "principalType": "ServicePrincipal",
            **properties,
        },
    }


def principal(document: Json) -> str:
    return f"[reference('{resource(document, IDENTITY)['id']}', '2024-11-30').principalId]"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda one: put(one, "principalId", GUID.format(78)), "principalId"),
        (
            lambda one: put(one, "roleDefinitionId", f"/x/roleDefinitions/{RECEIVING}"),
            "roleDefinitionId",
        ),
        (lambda one: one.update(id=one["id"].replace("/messages/", "/retries/")), "scope"),
    ],
)
def test_an_assignment_does_not_become_another(change: Callable[[Json], None], path: str) -> None:
    before = add(snapshot(), assignment(snapshot(), 1))
    after = copy.deepcopy(before)
    change(after["predictedResources"][-1])
    assert places(blockers(existing(before), after)) == [(path, NO_UPDATE)]


def test_an_identity_made_anew_needs_another_name_of_its_assignment() -> None:
    document = snapshot()
    document = add(document, assignment(document, 1, principalId=principal(document)))
    anew = frozenset({resource(document, IDENTITY)["id"].lower()})
    (refusal,) = blockers(existing(document, recreated=anew), document)
    assert (refusal.path, refusal.code) == ("principalId", NO_UPDATE)
    assert refusal.resource.endswith(GUID.format(1))


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_every_assignment_named_without_its_principal_is_named(name: str) -> None:
    document = snapshot(name)
    planted = [one for one in document["predictedResources"] if one["id"].startswith("[extensionR")]
    for number, one in enumerate(planted):
        scope = one["id"].split("'")[1]
        role = "Microsoft.Authorization/roleAssignments"
        one["id"] = f"{scope}/providers/{role}/{GUID.format(number)}"
    assert [one.code for one in blockers_later(document)] == [NO_UPDATE] * len(planted)
    assert planted


def test_a_grant_under_another_name_is_one_too_many() -> None:
    before = add(snapshot(), assignment(snapshot(), 1))
    after = add(snapshot(), assignment(snapshot(), 2))
    assert places(blockers(existing(before), after)) == [("", "RoleAssignmentExists")]


def test_the_assignments_of_before_do_not_make_way_for_those_named_after_principals() -> None:
    document = snapshot()
    grant = assignment(document, 1, principalId=principal(document))
    named = copy.deepcopy(grant)
    queue = resource(document, QUEUE)["id"]
    named["id"] = (
        f"[extensionResourceId('{queue}', 'Microsoft.Authorization/roleAssignments', "
        f"guid('{queue}', {principal(document)[1:-1]}, '{SENDING}'))]"
    )
    found = blockers(existing(add(document, grant)), add(document, named))
    assert places(found) == [("", "RoleAssignmentExists")]
    assert "guid(...)" in found[0].location
    assert blockers(existing(add(document, named)), add(document, named)) == []


def test_a_role_does_not_get_another_id() -> None:
    before = snapshot()
    after = copy.deepcopy(before)
    roles = [one for one in after["predictedResources"] if one["type"].endswith("roleDefinitions")]
    roles[0]["id"] = f"{roles[0]['id'].rpartition('/')[0]}/{GUID.format(9)}"
    assert places(blockers(existing(before), after)) == [
        ("roleName", "RoleDefinitionWithSameNameExists")
    ]

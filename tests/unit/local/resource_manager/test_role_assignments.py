"""What all readers of a deployment make of a role assignment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.resource_manager.role_assignments import TYPE, principal_source, role_name, scope_of

INFRA = Path(__file__).parents[4] / "infra"
VAULT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
GUID = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"
NAME = "guid('a', reference('/identities/x', '2024-11-30').principalId)"


@pytest.mark.parametrize(
    ("assignment_id", "scope"),
    [
        (f"{VAULT}/providers/{TYPE}/1", VAULT),
        (f"{VAULT}/PROVIDERS/{TYPE.upper()}/1", VAULT),
        (f"/subscriptions/s/providers/{TYPE}/1", "/subscriptions/s"),
        (f"/providers/{TYPE}/1", "/"),
        (f"[extensionResourceId('{VAULT}', '{TYPE}', {NAME})]", VAULT),
        (f"[ extensionResourceId( '{VAULT}' , '{TYPE.lower()}' , 'n' ) ]", VAULT),
        # An assignment at another one's scope: the last type is what it is.
        (f"{VAULT}/providers/{TYPE}/1/providers/{TYPE}/2", f"{VAULT}/providers/{TYPE}/1"),
        (VAULT, None),
        ("", None),
        (f"{VAULT}/providers/{TYPE}", None),
        (f"[extensionResourceId('{VAULT}', 'Microsoft.Authorization/locks', 'n')]", None),
        (f"[format('{VAULT}/providers/{TYPE}/{{0}}', 'n')]", None),
    ],
)
def test_the_scope_is_read_from_the_id(assignment_id: str, scope: str | None) -> None:
    assert scope_of(assignment_id) == scope


@pytest.mark.parametrize(
    "role_id",
    [
        f"/providers/Microsoft.Authorization/roleDefinitions/{GUID}",
        f"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{GUID.upper()}",
        f"{VAULT}/providers/Microsoft.Authorization/roleDefinitions/{GUID}/",
        GUID,
    ],
)
def test_a_role_is_named_by_its_guid_at_any_scope(role_id: str) -> None:
    assert role_name(role_id) == GUID


@pytest.mark.parametrize(
    ("principal_id", "source"),
    [
        ("[reference('/identities/x', '2024-11-30').principalId]", "/identities/x"),
        ("[reference('/sites/x', '2025-03-01', 'Full').identity.principalId]", "/sites/x"),
        ("[ reference( '/identities/x' , '1' ).PrincipalId ]", "/identities/x"),
        ("[reference('/identities/x', '1').clientId]", None),
        ("[parameters('principalId')]", None),
        (GUID, None),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_a_principal_may_be_the_identity_of_a_deployed_resource(
    principal_id: object, source: str | None
) -> None:
    assert principal_source(principal_id) == source


@pytest.mark.parametrize("snapshot", sorted(INFRA.glob("*.snapshot.json")), ids=lambda p: p.name)
def test_every_deployed_assignment_has_a_scope_and_a_role(snapshot: Path) -> None:
    resources = json.loads(snapshot.read_text())["predictedResources"]
    assignments = [one for one in resources if one["type"] == TYPE]
    assert assignments
    for one in assignments:
        assert (scope_of(one["id"]) or "").startswith("/subscriptions/")
        assert len(role_name(one["properties"]["roleDefinitionId"])) == 36

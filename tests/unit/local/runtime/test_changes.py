"""Which parts of a deployment may change while it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from local.deployment.deployment import load
from local.runtime.changes import beyond_permissions

INFRA = Path(__file__).parents[4] / "infra"
DEPLOYMENT = load(INFRA / "local.snapshot.json")


def test_rights_and_attached_identities_may_change() -> None:
    apps = tuple(replace(app, identities=(), system_identity=None) for app in DEPLOYMENT.apps)
    vaults = tuple(replace(vault, uses_rbac=False) for vault in DEPLOYMENT.vaults)
    changed = replace(DEPLOYMENT, apps=apps, vaults=vaults, role_assignments=(), ignored=())
    assert beyond_permissions(DEPLOYMENT, changed) == []
    assert beyond_permissions(DEPLOYMENT, load(INFRA / "local-policies.snapshot.json")) == []


def test_everything_else_is_named() -> None:
    queues = replace(DEPLOYMENT.namespaces[0], queues=())
    settings = replace(DEPLOYMENT.apps[0], settings={})
    changed = replace(
        DEPLOYMENT, tenant_id="other", namespaces=(queues,), apps=(settings,), operators=()
    )
    assert set(beyond_permissions(DEPLOYMENT, changed)) == {
        *("tenant_id", "namespaces", "apps", "operators")
    }

"""What each deployment sets is what the apps know, and what they start with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.deployment.deployment import load as load_deployment
from local.deployment.deployment import settings_of
from shared.settings.environment import inventory, load
from shared.settings.inventory import ACCESS_PREFIXES
from shared.settings.settings import APPS, optional_names, required_names

INFRA = Path(__file__).resolve().parents[2] / "infra"


@pytest.mark.parametrize("snapshot", sorted(INFRA.glob("*.snapshot.json")), ids=lambda p: p.stem)
def test_each_app_is_deployed_with_exactly_the_settings_that_it_knows(snapshot: Path) -> None:
    deployment = load_deployment(snapshot)
    vaults = {v.resource_id: f"https://{v.name}.vault.azure.net/" for v in deployment.vaults}
    deployed = {app.app: settings_of(app, vaults) for app in deployment.apps}
    assert deployed.keys() == APPS.keys()
    for app in APPS:
        tried = tuple(family for family, _ in ACCESS_PREFIXES)
        names = {name for name in deployed[app] if name.startswith("RELAY_")}
        names -= {name for name in names if name.startswith(tried)}
        assert names - optional_names(app) == required_names(app)
        assert list(load(deployed[app])) == [app]


@pytest.mark.parametrize("snapshot", ["local", "local-policies"])
def test_each_app_knows_all_that_there_is_to_try(snapshot: str) -> None:
    deployment = load_deployment(INFRA / f"{snapshot}.snapshot.json")
    vaults = {v.resource_id: f"https://{v.name}.vault.azure.net/" for v in deployment.vaults}
    access = json.loads((INFRA / "access.json").read_text())
    attached = {name for app in access["apps"] for name in app["identities"]}
    access["identities"] = [one for one in access["identities"] if one["name"] in attached]
    for app in deployment.apps:
        all_there_is = inventory(settings_of(app, vaults))
        for kind, found in {
            "identities": all_there_is.identities,
            "keys": [key.name for key in all_there_is.keys],
            "secrets": [secret.name for secret in all_there_is.secrets],
            "queues": all_there_is.queues,
        }.items():
            assert sorted(found) == sorted(one["name"] for one in access[kind])

"""What each deployment sets is what the apps know, and what they start with."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.deployment import load as load_deployment
from local.deployment import settings_of
from shared.settings import APPS, load, optional_names, required_names

INFRA = Path(__file__).resolve().parents[2] / "infra"


@pytest.mark.parametrize("snapshot", ["local", "local-policies"])
def test_each_app_is_deployed_with_exactly_the_settings_that_it_knows(snapshot: str) -> None:
    deployment = load_deployment(INFRA / f"{snapshot}.snapshot.json")
    vaults = {v.resource_id: f"https://{v.name}.vault.azure.net/" for v in deployment.vaults}
    deployed = {app.app: settings_of(app, vaults) for app in deployment.apps}
    assert deployed.keys() == APPS.keys()
    for app in APPS:
        names = {name for name in deployed[app] if name.startswith("RELAY_")}
        assert names - optional_names(app) == required_names(app)
        assert list(load(deployed[app])) == [app]

"""The table of settings, and an environment that has all of them which an app requires."""

from __future__ import annotations

import dataclasses
from importlib import import_module

import azure.functions as func
import pytest

from shared.settings.environment import load
from shared.settings.settings import APPS, AppName, optional_names, required_names

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
VALUES = {
    "RELAY_BUS__fullyQualifiedNamespace": "relay.servicebus.windows.net",
    "RELAY_BUS__credential": "managedidentity",
    "RELAY_BUS__clientId": ID,
    "RELAY_KEY_PAYLOAD": "https://payload.vault.azure.net/keys/payload",
    "RELAY_SECRET_DATABASE_CONNECTION": "https://db.vault.azure.net/secrets/database-connection",
    "RELAY_SECRET_PARTNER_CONNECTION": "https://p.vault.azure.net/secrets/partner-connection/",
    "RELAY_SECRET_PARTNER_STATE": "https://s.vault.azure.net/secrets/partner-state",
}


def environment(*apps: AppName, **changes: str) -> dict[str, str]:
    names = set[str]().union(*(required_names(app) for app in apps))
    values = {name: VALUES.get(name, name.rsplit("_", 1)[-1].lower()) for name in names}
    for name in names:
        if name.startswith("RELAY_IDENTITY_"):
            values[name] = ID
        elif name.startswith(("RELAY_KEY_", "RELAY_SECRET_")) and name not in VALUES:
            kind = "keys" if name.startswith("RELAY_KEY_") else "secrets"
            values[name] = f"https://v.vault.azure.net/{kind}/{values[name]}"
    return values | {"RELAY_APP": ",".join(apps)} | changes


@pytest.mark.parametrize("app", list(APPS))
def test_every_app_has_a_blueprint_in_the_module_of_its_name(app: AppName) -> None:
    module = import_module(f"shared.apps.{app}")
    (settings,) = load(environment(app)).values()
    assert isinstance(module.blueprint(settings), func.Blueprint)


@pytest.mark.parametrize("app", list(APPS))
def test_every_setting_is_required_or_has_a_default_and_says_what_it_means(app: AppName) -> None:
    fields = dataclasses.fields(APPS[app])
    assert required_names(app) | optional_names(app) == {
        *(field.metadata["name"] for field in fields),
        "RELAY_APP",
    }
    assert required_names(app).isdisjoint(optional_names(app))
    assert all(field.metadata["meaning"] for field in fields)

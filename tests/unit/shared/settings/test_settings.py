from __future__ import annotations

from pathlib import Path

import pytest

from shared.settings.settings import (
    APPS,
    AppName,
    ReceiverSettings,
    SenderSettings,
    SettingsError,
    inventory,
    load,
    optional_names,
    required_names,
)

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
VALUES = {
    "RELAY_BUS__fullyQualifiedNamespace": "relay.servicebus.windows.net",
    "RELAY_BUS__credential": "managedidentity",
    "RELAY_BUS__clientId": ID,
    "RELAY_KEY_PAYLOAD": "https://payload.vault.azure.net/keys/payload",
    "RELAY_SECRET_DATABASE_CONNECTION": "https://db.vault.azure.net/secrets/database-connection",
    "RELAY_SECRET_PARTNER_CONNECTION": "https://p.vault.azure.net/secrets/partner-connection/",
}


def environment(*apps: AppName, **changes: str) -> dict[str, str]:
    names = set[str]().union(*(required_names(app) for app in apps))
    values = {name: VALUES.get(name, name.rsplit("_", 1)[-1].lower()) for name in names}
    values |= {name: ID for name in names if name.startswith("RELAY_IDENTITY_")}
    return values | {"RELAY_APP": ",".join(apps)} | changes


@pytest.mark.parametrize("app", list(APPS))
def test_each_app_starts_with_what_it_requires(app: AppName) -> None:
    assert list(load(environment(app))) == [app]


def test_several_apps_can_share_a_process() -> None:
    assert list(load(environment("tracker", "sender"))) == ["sender", "tracker"]


def test_values_are_typed() -> None:
    settings = load(environment("sender", RELAY_MAX_PAYLOAD_BYTES="1000"))["sender"]
    assert isinstance(settings, SenderSettings)
    assert settings.payload_key.vault_url == "https://payload.vault.azure.net"
    assert settings.payload_key.name == "payload"
    assert settings.max_payload_bytes == 1000
    assert settings.network.verify_challenge
    assert settings.network.ca_bundle is None


def test_the_network_of_a_private_deployment(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    changes = {
        "RELAY_CA_BUNDLE": str(bundle),
        "RELAY_BUS_ENDPOINT": "sb://10.0.0.4:5671",
        "RELAY_VERIFY_CHALLENGE": "False",
    }
    settings = load(environment("receiver", **changes))["receiver"]
    assert isinstance(settings, ReceiverSettings)
    assert settings.network.ca_bundle == bundle
    assert settings.network.bus_endpoint == "sb://10.0.0.4:5671"
    assert not settings.network.verify_challenge


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"RELAY_APP": "receiver"})
    told = {problem.split()[0] for problem in caught.value.problems}
    assert told == required_names("receiver") - {"RELAY_APP"}
    assert all(name in str(caught.value) for name in told)


@pytest.mark.parametrize("value", ["", " , ", "sendr", "sender,receivr"])
def test_an_app_that_is_none_is_told(value: str) -> None:
    with pytest.raises(SettingsError, match="RELAY_APP must be one of sender, receiver, tracker"):
        load({"RELAY_APP": value})


def test_a_misspelt_setting_is_told() -> None:
    with pytest.raises(SettingsError, match="did you mean RELAY_MAX_PAYLOAD_BYTES"):
        load(environment("sender", RELAY_MAX_PAYLOAD_BYTE="1000"))


def test_a_setting_of_another_app_is_told() -> None:
    with pytest.raises(
        SettingsError, match="RELAY_DATA_KEY_CACHE_ENTRIES is no setting of this app"
    ):
        load(environment("sender", RELAY_DATA_KEY_CACHE_ENTRIES="1000"))


def test_one_more_identity_is_no_mistake() -> None:
    load(environment("sender", RELAY_IDENTITY_AUDIT=ID))


def test_what_the_proof_of_access_tries_is_read_from_its_families() -> None:
    environ = environment(
        "tracker",
        RELAY_ACCESS_IDENTITY_SENDER_BUS=ID,
        RELAY_ACCESS_KEY_PAYLOAD="https://payload.vault.azure.net/keys/payload",
        RELAY_ACCESS_SECRET_PARTNER_CONNECTION="https://p.vault.azure.net/secrets/partner-connection",
        RELAY_ACCESS_QUEUE_MESSAGES="messages",
        RELAY_ACCESS="false",
    )
    assert not load(environ)["tracker"].proves_access
    found = inventory(environ)
    assert found.identities == {"sender_bus": ID}
    assert [key.name for key in found.keys] == ["payload"]
    assert [secret.name for secret in found.secrets] == ["partner-connection"]
    assert found.queues == ("messages",)


@pytest.mark.parametrize("kind", ["IDENTITY", "KEY", "SECRET", "QUEUE"])
def test_a_wrong_object_of_the_proof_of_access_is_named_and_not_shown(kind: str) -> None:
    environ = environment("tracker", **{f"RELAY_ACCESS_{kind}_X": "planted secret \u20ac"})
    for read in (load, inventory):
        with pytest.raises(SettingsError) as caught:
            read(environ)
        assert f"RELAY_ACCESS_{kind}_X" in str(caught.value)
        assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    "name", sorted(set().union(*(required_names(a) | optional_names(a) for a in APPS)))
)
def test_a_wrong_value_is_named_and_not_shown(name: str) -> None:
    planted = "planted secret \u20ac"
    for app in APPS:
        if name in required_names(app) | optional_names(app):
            with pytest.raises(SettingsError) as caught:
                load(environment(app, **{name: planted}))
            assert name in str(caught.value)
            assert "planted" not in str(caught.value)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "1e3", "190000000000000000000", "١٢"])
def test_a_number_out_of_its_range_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="whole number from 1 to"):
        load(environment("sender", RELAY_MAX_PAYLOAD_BYTES=value))


@pytest.mark.parametrize(
    "value",
    [
        "http://payload.vault.azure.net/keys/payload",
        "https://payload.vault.azure.net/keys/payload/0123456789abcdef0123456789abcdef",
        "https://payload.vault.azure.net/secrets/payload",
        "https://user@payload.vault.azure.net/keys/payload",
        "https://payload.vault.azure.net/keys/../payload",
    ],
)
def test_a_key_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="RELAY_KEY_PAYLOAD must look like"):
        load(environment("sender", RELAY_KEY_PAYLOAD=value))

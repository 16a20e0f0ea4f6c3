from __future__ import annotations

from pathlib import Path

import pytest

from shared.settings.environment import SettingsError, bus_settings, load
from shared.settings.settings import (
    APPS,
    AppName,
    ReceiverSettings,
    SenderSettings,
    optional_names,
    required_names,
)
from shared.settings.version import DEPLOYMENT_VERSION
from tests.unit.shared.settings.test_settings import ID, environment


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
        "RELAY_KEY_PAYLOAD": "https://127.0.0.1:8443/keys/payload",
        "RELAY_SECRET_PARTNER_CONNECTION": "https://127.0.0.1:8444/secrets/partner",
        "RELAY_SECRET_PARTNER_STATE": "https://127.0.0.1:8446/secrets/state",
    }
    settings = load(environment("receiver", **changes))["receiver"]
    assert isinstance(settings, ReceiverSettings)
    assert settings.network.ca_bundle == bundle
    assert settings.network.bus_endpoint == "sb://10.0.0.4:5671"
    assert not settings.network.verify_challenge


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"RELAY_APP": "receiver"})
    named = {problem.split()[0] for problem in caught.value.problems}
    assert named == required_names("receiver") - {"RELAY_APP"}
    assert all(name in str(caught.value) for name in named)


@pytest.mark.parametrize("value", ["", " , ", "sendr", "sender,receivr"])
def test_an_unknown_app_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match=f"RELAY_APP must be one of {', '.join(APPS)}"):
        load({"RELAY_APP": value})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (
            "RELAY_RETRY_SCHEDULE",
            "RELAY_RETRY_SCHEDULE is not a setting of this app; it is one of receiver",
        ),
        ("RELAY_RETRY_SHEDULE", "did you mean RELAY_RETRY_SCHEDULE, which is one of receiver?"),
        ("RELAY_RECEIPT_WAIT_SECOND", "RELAY_RECEIPT_WAIT_SECONDS, which is one of tracker?"),
        ("RELAY_XXXXXXXXXXXXXXXX", "RELAY_XXXXXXXXXXXXXXXX is not a setting of this app"),
    ],
)
def test_the_hint_for_a_wrong_setting_looks_across_apps(name: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environment("sender", **{name: "5"}))
    (problem,) = caught.value.problems
    assert problem.endswith(hint)


def test_a_misspelt_setting_is_named_with_the_one_that_is_meant() -> None:
    with pytest.raises(SettingsError, match="did you mean RELAY_MAX_PAYLOAD_BYTES"):
        load(environment("sender", RELAY_MAX_PAYLOAD_BYTE="1000"))


NEWER = {"RELAY_DEPLOYMENT_VERSION": str(DEPLOYMENT_VERSION + 1)}


def test_an_unknown_setting_of_a_newer_deployment_is_ignored_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert list(load(environment("sender", RELAY_OF_LATER="planted", **NEWER))) == ["sender"]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "RELAY_OF_LATER is not a setting of this app" in record.getMessage()
    assert "planted" not in record.getMessage()


@pytest.mark.parametrize(
    "version",
    [
        {},
        {"RELAY_DEPLOYMENT_VERSION": str(DEPLOYMENT_VERSION)},
        {"RELAY_DEPLOYMENT_VERSION": "0"},
        {"RELAY_DEPLOYMENT_VERSION": "10000"},
        {"RELAY_DEPLOYMENT_VERSION": "2.0"},
        {"RELAY_DEPLOYMENT_VERSION": "newest"},
    ],
)
def test_without_a_newer_deployment_an_unknown_setting_is_refused(version: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="RELAY_OF_LATER is not a setting of this app"):
        load(environment("sender", RELAY_OF_LATER="x", **version))


def test_a_newer_deployment_excuses_no_setting_that_is_wrong_or_missing() -> None:
    wrong = environment("sender", RELAY_MAX_PAYLOAD_BYTES="many", **NEWER)
    del wrong["RELAY_KEY_PAYLOAD"]
    with pytest.raises(SettingsError) as caught:
        load(wrong)
    named = [problem.split()[0] for problem in caught.value.problems]
    assert named == ["RELAY_KEY_PAYLOAD", "RELAY_MAX_PAYLOAD_BYTES"]


def test_a_setting_of_another_app_is_named() -> None:
    with pytest.raises(
        SettingsError, match="RELAY_DATA_KEY_CACHE_ENTRIES is not a setting of this app"
    ):
        load(environment("sender", RELAY_DATA_KEY_CACHE_ENTRIES="1000"))


def test_one_more_identity_is_not_a_mistake() -> None:
    load(environment("sender", RELAY_IDENTITY_AUDIT=ID))


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
def test_what_is_not_a_key_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="RELAY_KEY_PAYLOAD must look like"):
        load(environment("sender", RELAY_KEY_PAYLOAD=value))


@pytest.mark.parametrize("value", ["0", "1", "2000"])
def test_a_message_is_delivered_at_least_once_before_it_is_rejected(value: str) -> None:
    with pytest.raises(SettingsError, match="RELAY_MAX_DELIVERIES must be a whole number from 2"):
        load(environment("receiver", RELAY_MAX_DELIVERIES=value))
    assert load(environment("receiver", RELAY_MAX_DELIVERIES="2"))


def test_a_program_that_is_not_an_app_reads_how_services_are_reached() -> None:
    settings = bus_settings({"RELAY_BUS__fullyQualifiedNamespace": "relay.servicebus.windows.net"})
    assert settings.bus_namespace == "relay.servicebus.windows.net"
    with pytest.raises(SettingsError, match="RELAY_BUS__fullyQualifiedNamespace is missing"):
        bus_settings({})

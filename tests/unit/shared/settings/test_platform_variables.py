from __future__ import annotations

import pytest

from shared.settings.environment import SettingsError, load
from shared.settings.platform_variables import environment_problems
from tests.unit.shared.settings.test_settings import environment

NAMES = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")
# What App Service, Functions and virtual machines name.
OWN = (
    "http://169.254.131.5:8081/msi/token",
    "http://127.0.0.1:41741/MSI/token/",
    "http://localhost:8081/msi/token",
    "http://[::1]:8081/msi/token",
    "http://172.16.0.7:8081/msi/token",
    "http://169.254.169.254",
)
ELSEWHERE = (
    "http://planted.example/msi/token",
    "https://planted.example/msi/token",
    "http://127.0.0.1.planted.example/msi/token",
    "http://127.0.0.1@planted.example/",
    "http://planted.example#@127.0.0.1/",
    "http://planted.example\\@127.0.0.1/",
    "http://8.8.8.8/planted",
    "http://2130706433/planted",
    "http://localhost.planted.example",
    "planted",
    "127.0.0.1:8081",
    "http://[planted",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("url", OWN)
def test_an_endpoint_of_the_platform_is_taken(name: str, url: str) -> None:
    assert environment_problems({name: url}) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("url", ELSEWHERE)
def test_an_endpoint_elsewhere_gets_no_secret_header(name: str, url: str) -> None:
    (problem,) = environment_problems({name: url})
    assert problem.startswith(f"{name} must be")
    assert "planted" not in problem


def test_an_endpoint_of_which_no_certificate_is_verified_is_on_this_machine() -> None:
    fabric = {"IDENTITY_SERVER_THUMBPRINT": "planted"}
    assert environment_problems(fabric) == []
    assert environment_problems(fabric | {"IDENTITY_ENDPOINT": OWN[0]}) == []
    (problem,) = environment_problems(fabric | {"IDENTITY_ENDPOINT": "https://10.0.0.4:2377"})
    assert problem.startswith("IDENTITY_SERVER_THUMBPRINT must not be set")
    assert "planted" not in problem


def test_the_keys_of_tls_are_written_nowhere() -> None:
    (problem,) = environment_problems({"SSLKEYLOGFILE": "/tmp/planted"})  # noqa: S108
    assert problem.startswith("SSLKEYLOGFILE must not be set")
    assert "planted" not in problem


def test_an_app_does_not_start_with_them() -> None:
    with pytest.raises(SettingsError, match="IDENTITY_ENDPOINT"):
        load(environment("sender", IDENTITY_ENDPOINT="http://planted.example"))


@pytest.mark.parametrize(
    ("vault", "starts"),
    [
        ("https://127.0.0.1:8443", True),
        ("https://localhost:8443", True),
        ("https://payload.vault.azure.net", False),
        ("https://127.0.0.1.example", False),
        ("https://10.0.0.4", False),
    ],
)
def test_a_vault_goes_unverified_on_loopback_alone(vault: str, starts: bool) -> None:
    changes = {
        "RELAY_KEY_PAYLOAD": f"{vault}/keys/payload",
        "RELAY_SECRET_PARTNER_CONNECTION": "https://127.0.0.1:8443/secrets/partner",
        "RELAY_SECRET_PARTNER_STATE": "https://127.0.0.1:8446/secrets/state",
        "RELAY_VERIFY_CHALLENGE": "false",
    }
    if starts:
        load(environment("receiver", **changes))
    else:
        with pytest.raises(SettingsError, match="RELAY_VERIFY_CHALLENGE may be false only"):
            load(environment("receiver", **changes))


@pytest.mark.parametrize(
    ("url", "starts"),
    [
        ("http://127.0.0.1:7073", True),
        ("http://localhost:7073", True),
        ("https://relay.example", True),
        ("http://relay.example", False),
        ("HTTP://relay.example", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_callers_are_sent_nowhere_without_tls(url: str, starts: bool) -> None:
    if starts:
        load(environment("sender", RELAY_STATUS_URL=url))
    else:
        with pytest.raises(SettingsError, match="RELAY_STATUS_URL must"):
            load(environment("sender", RELAY_STATUS_URL=url))

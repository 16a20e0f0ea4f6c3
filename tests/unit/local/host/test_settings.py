from __future__ import annotations

import pytest

from local.host.errors import AppRefusedError
from local.host.settings import IdentityConnection, KeyConnection, Settings

IDENTITY = {
    "BUS__fullyQualifiedNamespace": "ns.servicebus.windows.net",
    "BUS__credential": "managedidentity",
    "BUS__clientId": "c1",
}


def test_a_connection_by_user_assigned_identity() -> None:
    assert Settings(IDENTITY).connection("BUS") == IdentityConnection(
        "ns.servicebus.windows.net", "c1"
    )


def test_a_connection_by_system_assigned_identity() -> None:
    given = {name: value for name, value in IDENTITY.items() if name != "BUS__clientId"}
    assert Settings(given).connection("bus") == IdentityConnection(
        "ns.servicebus.windows.net", None
    )


def test_a_connection_is_found_under_the_name_of_webjobs_first() -> None:
    other = {"AzureWebJobsBUS__fullyQualifiedNamespace": "other", **IDENTITY}
    other["AzureWebJobsBUS__credential"] = "managedidentity"
    assert Settings(other).connection("BUS") == IdentityConnection("other", None)
    assert isinstance(
        Settings({**IDENTITY, "AzureWebJobsBus": "x"}).connection("BUS"), KeyConnection
    )


def test_a_connection_string_is_never_shown() -> None:
    connection = Settings({"BUS": "Endpoint=sb://x;SharedAccessKey=planted"}).connection("BUS")
    assert isinstance(connection, KeyConnection)
    assert "planted" not in repr(connection)


@pytest.mark.parametrize("missing", ["BUS__fullyQualifiedNamespace", "BUS__credential"])
def test_a_missing_part_of_a_connection_is_named(missing: str) -> None:
    given = {name: value for name, value in IDENTITY.items() if name != missing}
    with pytest.raises(AppRefusedError, match=missing):
        Settings(given).connection("BUS")


@pytest.mark.parametrize(
    "section",
    ["BUS", "AzureWebJobsBUS", "ConnectionStrings__BUS", "ConnectionStrings__AzureWebJobsBUS"],
)
def test_a_connection_is_found_where_the_webjobs_sdk_looks(section: str) -> None:
    given = {name.replace("BUS", section, 1): value for name, value in IDENTITY.items()}
    assert isinstance(Settings(given).connection("BUS"), IdentityConnection)
    assert Settings({section: "Endpoint=x"}).connection("bus") == KeyConnection("Endpoint=x")


def test_the_prefixed_connection_comes_first() -> None:
    given = {**IDENTITY, "BUS": "Endpoint=mine", "AzureWebJobsBUS": "Endpoint=prefixed"}
    assert Settings(given).connection("BUS") == KeyConnection("Endpoint=prefixed")
    assert Settings({**given, "AzureWebJobsBUS": ""}).connection("BUS") == KeyConnection(
        "Endpoint=mine"
    )


def test_expressions_are_answered_from_the_settings() -> None:
    assert Settings({"QUEUE": "messages"}).resolve("%queue%-x") == "messages-x"
    with pytest.raises(AppRefusedError, match="NOTHERE"):
        Settings({"NOTHERE": ""}).resolve("%NOTHERE%")

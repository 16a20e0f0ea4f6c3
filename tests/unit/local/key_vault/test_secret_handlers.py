"""What operations do to secrets, without HTTP and without authorization."""

from __future__ import annotations

from typing import Any

import pytest

from local.key_vault.errors import KeyVaultError
from local.key_vault.request_body import JsonObject
from tests.unit.local.key_vault.local_vault import LocalVault


async def refused(vault: LocalVault, *request: Any, **options: Any) -> KeyVaultError:
    with pytest.raises(KeyVaultError) as caught:
        await vault.ask(*request, **options)
    return caught.value


async def test_a_secret_has_what_it_was_set_with(vault: LocalVault) -> None:
    attributes = {"enabled": True, "nbf": 5, "exp": 6}
    body = {"value": "v", "contentType": "a/b", "tags": {"a": "b"}, "attributes": attributes}
    made = await vault.ask("PUT", "/secrets/One", body)
    assert {**made["attributes"], **attributes} == made["attributes"]
    assert (made["value"], made["contentType"], made["tags"]) == ("v", "a/b", {"a": "b"})
    # Its time is reported and not enforced, as in Azure.
    assert await vault.ask("GET", "/secrets/one") == made
    (listed,) = (await vault.ask("GET", "/secrets"))["value"]
    assert listed.pop("id") == made["id"].rpartition("/")[0]
    assert listed == {name: made[name] for name in ("contentType", "attributes", "tags")}


async def test_a_disabled_secret_is_listed_and_not_shown(vault: LocalVault) -> None:
    body = {"value": "planted", "attributes": {"enabled": False}}
    made = await vault.ask("PUT", "/secrets/one", body)
    version = made["id"].rpartition("/")[2]
    for path in ("/secrets/one", f"/secrets/one/{version}"):
        error = await refused(vault, "GET", path)
        assert (error.status, error.code, error.inner) == (403, "Forbidden", "SecretDisabled")
        assert error.message == "Operation get is not allowed on a disabled secret."
    for path in ("/secrets", "/secrets/one/versions"):
        (listed,) = (await vault.ask("GET", path))["value"]
        assert listed["attributes"]["enabled"] is False
        assert "planted" not in str(listed)


async def test_an_update_changes_a_version_and_not_its_value(vault: LocalVault) -> None:
    first = await vault.ask("PUT", "/secrets/one", {"value": "v", "tags": {"a": "b"}})
    second = await vault.ask("PUT", "/secrets/one", {"value": "w"})
    version = first["id"].rpartition("/")[2]
    body = {"contentType": "a/b", "attributes": {"exp": 9}}
    updated = await vault.ask("PATCH", f"/secrets/one/{version}", body)
    assert "value" not in updated
    assert (updated["id"], updated["tags"]) == (first["id"], {"a": "b"})
    assert (updated["contentType"], updated["attributes"]["exp"]) == ("a/b", 9)
    assert (await vault.ask("GET", f"/secrets/one/{version}"))["value"] == "v"
    assert await vault.ask("GET", "/secrets/one") == second


@pytest.mark.parametrize(
    ("method", "body", "named"),
    [
        ("PUT", {}, "value"),
        ("PUT", {"value": "v", "colour": "red"}, "colour"),
        ("PUT", {"value": "v", "attributes": {"exportable": False}}, "attributes.exportable"),
        ("PUT", {"value": "v", "attributes": {"recoveryLevel": "Purgeable"}}, "recoveryLevel"),
        ("PUT", {"value": "v", "contentType": "x" * 256}, "contentType"),
        ("PUT", {"value": "v", "tags": {"x" * 257: ""}}, "tags"),
        ("PATCH", {"value": "v"}, "value"),
        ("PATCH", {"attributes": {"nbf": -1}}, "attributes.nbf"),
    ],
)
async def test_what_is_unknown_or_impossible_is_refused_by_name(
    vault: LocalVault, method: str, body: JsonObject, named: str
) -> None:
    await vault.ask("PUT", "/secrets/one", {"value": "v"})
    error = await refused(vault, method, "/secrets/one", body)
    assert (error.status, error.code) == (400, "BadParameter")
    assert named in error.message


async def test_versions_of_a_secret_that_is_not_there_are_none(vault: LocalVault) -> None:
    assert await vault.ask("GET", "/secrets/absent/versions") == {"value": [], "nextLink": None}


async def test_lists_come_in_pages(vault: LocalVault) -> None:
    for number in range(30):
        vault.opened().set_secret(f"s{number:02}", "v")
    first = await vault.ask("GET", "/secrets")
    assert len(first["value"]) == 25
    token = first["nextLink"].partition("$skiptoken=")[2].partition("&")[0]
    second = await vault.ask("GET", "/secrets", query={"$skiptoken": token})
    assert (len(second["value"]), second["nextLink"]) == (5, None)
    assert "api-version=2025-07-01" in first["nextLink"]
    small = await vault.ask("GET", "/secrets", query={"maxresults": "7"})
    assert len(small["value"]) == 7
    assert small["nextLink"].endswith("&maxresults=7")


async def test_a_certificate_is_not_converted(vault: LocalVault) -> None:
    await vault.ask("PUT", "/secrets/one", {"value": "v"})
    for api, why in (("2026-04-01", "certificates"), ("7.4", "2025-07-01")):
        query = {"outContentType": "application/x-pem-file"}
        error = await refused(vault, "GET", "/secrets/one", query=query, api=api)
        assert (error.status, why in error.message) == (400, True)

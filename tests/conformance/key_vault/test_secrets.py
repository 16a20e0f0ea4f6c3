"""Secrets, by Microsoft's clients."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from azure.core.exceptions import HttpResponseError

from tests.conformance.target import Target

Unused = Callable[[str], str]
NOT_BEFORE, EXPIRES = datetime(2015, 1, 2, tzinfo=UTC), datetime(2050, 1, 2, tzinfo=UTC)


@pytest.mark.conformance("Key Vault secrets", "attributes, tags and content type")
def test_what_a_secret_is_set_with_is_kept(target: Target, unused: Unused) -> None:
    name = unused("whole")
    with target.secrets() as client:
        client.set_secret(
            name,
            "a value",
            content_type="text/plain",
            tags={"a": "b"},
            not_before=NOT_BEFORE,
            expires_on=EXPIRES,
        )
        shown = client.get_secret(name).properties
        assert (shown.content_type, shown.tags) == ("text/plain", {"a": "b"})
        assert (shown.not_before, shown.expires_on) == (NOT_BEFORE, EXPIRES)
        assert (shown.recovery_level, shown.recoverable_days) == (
            "CustomizedRecoverable+Purgeable",
            7,
        )


@pytest.mark.conformance("Key Vault secrets", "update")
async def test_a_version_is_updated_without_its_value(target: Target, unused: Unused) -> None:
    name = unused("updated")
    async with target.secrets_async() as client:
        first = await client.set_secret(name, "first")
        await client.set_secret(name, "second")
        version = first.properties.version
        await client.update_secret_properties(name, version, content_type="a/b", tags={"a": "b"})
        shown = await client.get_secret(name, version)
        assert (shown.value, shown.properties.content_type) == ("first", "a/b")
        assert (await client.get_secret(name)).value == "second"


@pytest.mark.conformance("Key Vault secrets", "disabled: listed and not shown")
def test_a_disabled_secret_is_not_shown(target: Target, unused: Unused) -> None:
    name = unused("disabled")
    with target.secrets() as client:
        client.set_secret(name, "a value", enabled=False)
        with pytest.raises(HttpResponseError, match="not allowed on a disabled secret") as refused:
            client.get_secret(name)
        assert refused.value.status_code == 403
        (version,) = client.list_properties_of_secret_versions(name)
        assert version.enabled is False


@pytest.mark.conformance("Key Vault secrets", "list versions, in pages of 25")
def test_versions_come_in_pages_of_25(target: Target, unused: Unused) -> None:
    name = unused("versions")
    with target.secrets() as client:
        made = {client.set_secret(name, str(number)).id for number in range(27)}
        pages = client.list_properties_of_secret_versions(name).by_page()
        ids = [[one.id for one in page] for page in pages]
        assert [len(page) for page in ids] == [25, 2]
        assert {one for page in ids for one in page} == made
        assert list(client.list_properties_of_secret_versions(unused("absent"))) == []


@pytest.mark.conformance("Key Vault secrets", "list")
def test_secrets_are_listed_without_their_values(target: Target, unused: Unused) -> None:
    name = unused("listed")
    with target.secrets("policies") as client:
        client.set_secret(name, "a value", tags={"a": "b"})
        listed = {one.name: one for one in client.list_properties_of_secrets(max_page_size=1)}
        assert listed[name].tags == {"a": "b"}

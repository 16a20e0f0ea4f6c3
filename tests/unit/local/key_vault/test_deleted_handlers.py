"""Deleted objects and backups, without HTTP and without authorization."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.key_vault.base64url import from_base64url, to_base64url
from local.key_vault.errors import KeyVaultError, name_in_use, not_found
from local.key_vault.objects import NameInUseError, ObjectNotFoundError
from local.key_vault.store import VaultStore
from tests.unit.local.key_vault.local_vault import URI, LocalVault

KINDS = ("keys", "secrets")


async def make(vault: LocalVault, kind: str, name: str = "One") -> dict[str, Any]:
    method, path = (
        ("POST", f"/keys/{name}/create") if kind == "keys" else ("PUT", f"/secrets/{name}")
    )
    body = {"kty": "EC"} if kind == "keys" else {"value": "planted"}
    made: dict[str, Any] = await vault.ask(method, path, body)
    return made


def one_of(kind: str, shown: dict[str, Any]) -> str:
    return str(shown["key"]["kid"] if kind == "keys" else shown["id"])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_deleted_object_is_gone_and_can_be_recovered(vault: LocalVault, kind: str) -> None:
    made = await make(vault, kind)
    await make(vault, kind)
    gone = await vault.ask("DELETE", f"/{kind}/one")
    assert gone["recoveryId"] == f"{URI}/deleted{kind}/One"
    assert gone["scheduledPurgeDate"] - gone["deletedDate"] == 90 * 86_400
    assert "planted" not in str(gone)
    with pytest.raises(ObjectNotFoundError):
        await vault.ask("GET", f"/{kind}/one")
    assert (await vault.ask("GET", f"/{kind}"))["value"] == []
    assert (await vault.ask("GET", f"/{kind}/one/versions"))["value"] == []
    (listed,) = (await vault.ask("GET", f"/deleted{kind}"))["value"]
    assert listed["recoveryId"] == gone["recoveryId"]
    assert await vault.ask("GET", f"/deleted{kind}/one") == gone
    back = await vault.ask("POST", f"/deleted{kind}/one/recover")
    assert one_of(kind, back) == one_of(kind, gone)
    assert (await vault.ask("GET", f"/deleted{kind}"))["value"] == []
    versions = (await vault.ask("GET", f"/{kind}/one/versions"))["value"]
    assert len(versions) == 2
    assert one_of(kind, made) in str(versions[0])


@pytest.mark.parametrize("kind", KINDS)
async def test_the_name_of_a_deleted_object_is_in_use_until_it_is_purged(
    vault: LocalVault, kind: str
) -> None:
    await make(vault, kind)
    backup = await vault.ask("POST", f"/{kind}/one/backup")
    await vault.ask("DELETE", f"/{kind}/one")
    for attempt in (make(vault, kind), vault.ask("POST", f"/{kind}/restore", backup)):
        with pytest.raises(NameInUseError) as caught:
            await attempt
        error = name_in_use(caught.value)
        assert (error.status, error.inner) == (409, "ObjectIsDeletedButRecoverable")
        assert "is currently in a deleted but recoverable state" in error.message
    assert await vault.ask("DELETE", f"/deleted{kind}/one") is None
    assert await make(vault, kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_not_deleted_is_not_among_the_deleted(vault: LocalVault, kind: str) -> None:
    await make(vault, kind)
    for method, path in (
        ("GET", f"/deleted{kind}/one"),
        ("DELETE", f"/deleted{kind}/one"),
        ("POST", f"/deleted{kind}/one/recover"),
    ):
        with pytest.raises(ObjectNotFoundError) as caught:
            await vault.ask(method, path)
        error = not_found(caught.value)
        assert error.message == f"Deleted {kind[:-1].capitalize()} not found: one"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_purged_object_leaves_nothing(vault: LocalVault, kind: str) -> None:
    await make(vault, kind)
    await vault.ask("DELETE", f"/{kind}/one")
    await vault.ask("DELETE", f"/deleted{kind}/one")
    assert [path.name for path in vault.folder.iterdir()] == ["versions.json"]
    assert "planted" not in (vault.folder / "versions.json").read_text()


@pytest.mark.parametrize("kind", KINDS)
async def test_purge_protection_holds(tmp_path: Path, vault: LocalVault, kind: str) -> None:
    spec = replace(vault.spec, purge_protection=True, retention_days=7)
    protected = LocalVault(tmp_path / "vaults" / "protected", spec)
    made = await make(protected, kind)
    assert made["attributes"]["recoveryLevel"] == "CustomizedRecoverable"
    assert made["attributes"]["recoverableDays"] == 7
    gone = await protected.ask("DELETE", f"/{kind}/one")
    assert gone["scheduledPurgeDate"] - gone["deletedDate"] == 7 * 86_400
    with pytest.raises(KeyVaultError) as caught:
        await protected.ask("DELETE", f"/deleted{kind}/one")
    assert (caught.value.status, caught.value.code) == (403, "Forbidden")
    assert "purge protection is enabled" in caught.value.message


@pytest.mark.parametrize("kind", KINDS)
async def test_a_deleted_object_is_gone_for_good_after_its_time(
    vault: LocalVault, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(vault, kind)
    gone = await vault.ask("DELETE", f"/{kind}/one")
    monkeypatch.setattr(
        "local.key_vault.object_table.time.time", lambda: gone["scheduledPurgeDate"] + 1.0
    )
    assert (await vault.ask("GET", f"/deleted{kind}"))["value"] == []
    with pytest.raises(ObjectNotFoundError):
        await vault.ask("POST", f"/deleted{kind}/one/recover")
    assert await make(vault, kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_backup_restores_into_any_vault_of_the_cloud(vault: LocalVault, kind: str) -> None:
    first = await make(vault, kind)
    await make(vault, kind)
    backup = await vault.ask("POST", f"/{kind}/one/backup")
    other = LocalVault(vault.folder.parent / "other", vault.spec)
    await other.ask("POST", f"/{kind}/restore", backup)
    again = LocalVault(other.folder, other.spec)
    versions = (await again.ask("GET", f"/{kind}/one/versions"))["value"]
    assert one_of(kind, first).rpartition("/")[2] in str(versions[0])
    if kind == "secrets":
        assert (await again.ask("GET", "/secrets/one"))["value"] == "planted"
    else:
        assert await again.ask("GET", "/keys/one") == await vault.ask("GET", "/keys/one")
    with pytest.raises(NameInUseError):
        await other.ask("POST", f"/{kind}/restore", backup)


async def test_a_backup_shows_nothing_and_only_a_whole_one_restores(
    vault: LocalVault, tmp_path: Path
) -> None:
    await make(vault, "keys")
    await make(vault, "secrets")
    of_key = await vault.ask("POST", "/keys/one/backup")
    of_secret = await vault.ask("POST", "/secrets/one/backup")
    assert b"planted" not in from_base64url(of_secret["value"])
    assert b"PRIVATE KEY" not in from_base64url(of_key["value"])
    cut = to_base64url(from_base64url(of_secret["value"])[:-1])
    elsewhere = LocalVault(tmp_path / "another cloud" / "v", vault.spec)
    for one, kind, value in (
        (vault, "keys", of_secret["value"]),
        (vault, "secrets", of_key["value"]),
        (vault, "secrets", cut),
        (vault, "secrets", "AAAA"),
        (elsewhere, "secrets", of_secret["value"]),
    ):
        with pytest.raises(KeyVaultError, match="Backup blob contains invalid"):
            await one.ask("POST", f"/{kind}/restore", {"value": value})


async def test_deletions_survive_a_restart(vault: LocalVault) -> None:
    for kind in KINDS:
        await make(vault, kind)
        await vault.ask("DELETE", f"/{kind}/one")
    again = VaultStore(vault.folder, vault.spec)
    assert [one.name for one in again.keys.deleted()] == ["One"]
    assert [one.name for one in again.secrets.deleted()] == ["One"]
    again.keys.recover("one")
    assert again.private_key("one")

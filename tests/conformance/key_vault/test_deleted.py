"""Deleted keys and secrets and backups, by Microsoft's clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from tests.conformance.target import Target

Unused = Callable[[str], str]
_R = TypeVar("_R")


@pytest.mark.conformance("Key Vault keys", "delete, list deleted, recover, purge")
def test_a_deleted_key_is_recovered_and_purged(target: Target, unused: Unused) -> None:
    with target.keys() as client:
        key = client.create_ec_key(unused("deleted"))
        gone = client.begin_delete_key(key.name)
        gone.wait()
        assert gone.result().recovery_id
        with pytest.raises(ResourceNotFoundError):
            client.get_key(key.name)
        assert key.name in [one.name for one in client.list_deleted_keys()]
        with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
            client.create_ec_key(key.name)
        client.begin_recover_deleted_key(key.name).wait()
        assert vars(client.get_key(key.name).key) == vars(key.key)
        client.begin_delete_key(key.name).wait()
        client.purge_deleted_key(key.name)
        if not target.is_azure:  # where it takes a while
            with pytest.raises(ResourceNotFoundError):
                client.get_deleted_key(key.name)


@pytest.mark.conformance("Key Vault secrets", "delete, list deleted, recover, purge")
async def test_a_deleted_secret_is_recovered_and_purged(target: Target, unused: Unused) -> None:
    name = unused("deleted")
    async with target.secrets_async() as client:
        await client.set_secret(name, "a value")
        gone = await client.delete_secret(name)
        assert gone.scheduled_purge_date is not None
        assert name in [one.name async for one in client.list_deleted_secrets()]
        with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
            await client.set_secret(name, "another")
        await client.recover_deleted_secret(name)
        assert (await client.get_secret(name)).value == "a value"
        await client.delete_secret(name)
        await client.purge_deleted_secret(name)


@pytest.mark.conformance("Key Vault keys", "backup, restore")
def test_a_key_is_restored_from_its_backup(target: Target, unused: Unused) -> None:
    with target.keys() as client:
        key = client.create_ec_key(unused("backup"))
        backup = client.backup_key(key.name)
        with pytest.raises(ResourceExistsError):
            client.restore_key_backup(backup)
        client.begin_delete_key(key.name).wait()
        client.purge_deleted_key(key.name)
        restored = again(target, lambda: client.restore_key_backup(backup))
        assert vars(restored.key) == vars(key.key)


@pytest.mark.conformance("Key Vault secrets", "backup, restore")
def test_a_secret_is_restored_from_its_backup(target: Target, unused: Unused) -> None:
    name = unused("backup")
    with target.secrets() as client:
        client.set_secret(name, "a value")
        backup = client.backup_secret(name)
        client.begin_delete_secret(name).wait()
        client.purge_deleted_secret(name)
        again(target, lambda: client.restore_secret_backup(backup))
        assert client.get_secret(name).value == "a value"


def again(target: Target, attempt: Callable[[], _R]) -> _R:
    """Try until the name is free, which in Azure takes a while after a purge."""
    for _ in range(60 if target.is_azure else 0):
        try:
            return attempt()
        except ResourceExistsError:
            continue
    return attempt()

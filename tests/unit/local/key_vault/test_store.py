from __future__ import annotations

import re
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local.deployment.resources import KeySpec, SecretSpec, VaultSpec
from local.key_vault import key_types
from local.key_vault.objects import ObjectNotFoundError
from local.key_vault.store import VaultStore
from local.key_vault.vault_folder import rotated_keys

SPEC = VaultSpec(
    "/vaults/v",
    "v",
    "here",
    "tenant",
    uses_rbac=True,
    policies=(),
    keys=(KeySpec("/vaults/v/keys/Payload", "Payload", "RSA", 2048, ("encrypt", "decrypt")),),
    secrets=(SecretSpec("/vaults/v/secrets/partner", "partner", "application/json"),),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vaults" / "v"


@pytest.fixture
def store(folder: Path) -> VaultStore:
    return VaultStore(folder, SPEC)


def test_a_key_has_a_version_from_the_start(store: VaultStore) -> None:
    (version,) = store.key_versions("payload")
    assert re.fullmatch("[0-9a-f]{32}", version)
    key = store.private_key("payload")
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 2048
    assert store.private_key("PAYLOAD", version) is store.private_key("payload")


def test_rotation_keeps_the_older_versions(store: VaultStore) -> None:
    (first,) = store.key_versions("payload")
    old = store.private_key("payload")
    second = store.rotate("payload")
    assert store.key_versions("payload") == (first, second)
    assert store.keys.version("payload").version == second
    assert store.private_key("payload") is not old
    assert store.private_key("payload", first) is old


def test_versions_survive_a_restart(store: VaultStore, folder: Path) -> None:
    second = store.rotate("payload")
    third = store.set_secret("partner", "öne\u0000two")
    again = VaultStore(folder, SPEC)
    assert again.key_versions("payload") == store.key_versions("payload")
    before, after = store.private_key("payload", second), again.private_key("payload", second)
    assert key_types.to_pem(before) == key_types.to_pem(after)
    assert again.secret("partner") == store.secret("partner")
    assert (again.secret("partner").value, again.secret("partner").version) == (
        "öne\u0000two",
        third,
    )


def test_a_secret_has_no_value_until_it_is_set(store: VaultStore) -> None:
    with pytest.raises(ObjectNotFoundError):
        store.secret("partner")
    first = store.set_secret("partner", "one")
    second = store.set_secret("PARTNER", "two", "text/plain")
    assert store.secret("Partner").value == "two"
    assert store.secret("partner", first).value == "one"
    assert [v.version for v in store.secret_versions("partner")] == [first, second]
    assert store.secret("partner", first).content_type is None
    assert store.secret("partner").content_type == "text/plain"
    assert store.secret_names() == ("partner",)


def test_what_is_not_there(store: VaultStore) -> None:
    store.set_secret("partner", "one")
    for kind, missing in (
        ("key", lambda: store.private_key("other")),
        ("key", lambda: store.rotate("other")),
        ("key", lambda: store.private_key("payload", "0" * 32)),
        ("key", lambda: store.private_key("payload", "../payload")),
        ("secret", lambda: store.secret("other")),
        ("secret", lambda: store.secret("partner", "0" * 32)),
    ):
        with pytest.raises(ObjectNotFoundError) as caught:
            missing()
        assert caught.value.kind == kind


def test_only_the_user_can_read_any_of_it(store: VaultStore, folder: Path) -> None:
    store.set_secret("partner", "one")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_folder_that_others_could_read_is_closed(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    VaultStore(folder, SPEC)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_values_show_nowhere(store: VaultStore) -> None:
    store.set_secret("partner", "planted-value")
    assert "planted-value" not in repr(store.secret("partner"))


def test_threads_lose_nothing(store: VaultStore, folder: Path) -> None:
    def write(number: int) -> None:
        for i in range(10):
            store.set_secret("partner", f"{number}.{i}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(VaultStore(folder, SPEC).secret_versions("partner")) == 40


def test_who_wrote_a_version_is_kept(store: VaultStore, folder: Path) -> None:
    store.set_secret("partner", "by the cloud", deployed=True)
    store.set_secret("partner", "by hand")
    again = VaultStore(folder, SPEC)
    assert [one.deployed for one in again.secret_versions("partner")] == [True, False]


def test_which_keys_were_rotated(store: VaultStore, folder: Path, tmp_path: Path) -> None:
    assert rotated_keys(folder) == frozenset()
    store.rotate("payload")
    assert rotated_keys(folder) == {"payload"}
    assert rotated_keys(tmp_path / "nowhere") == frozenset()

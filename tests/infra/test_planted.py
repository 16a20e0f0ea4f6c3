"""Mistakes in the Bicep itself: compiled by the compiler, each named by the check it is for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from checks import infra
from checks.resource_types import KEY, SECRET

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        infra.compiler() is None, reason="no bicep on the PATH to compile the mistakes"
    ),
]

KEYS, BUS = "Microsoft.KeyVault/vaults/keys", "Microsoft.ServiceBus/namespaces/messages"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"


class Mistake(NamedTuple):
    """What stands in a source, what is put in its place, and what the check calls it."""

    source: str
    right: str
    wrong: str
    called: str


MISTAKES = {
    "role one action wider": Mistake(
        "roles",
        f"'{KEYS}/${{keyWords[operation].action}}'",
        f"'{KEYS}/${{keyWords[operation].action}}', '{KEYS}/read'",
        f"undeclared: encrypt may {KEYS}/read on vaults/payload/keys/payload",
    ),
    "scope one level higher": Mistake(
        "busRights",
        "scope: queues[i]\n",
        "scope: namespace\n",
        f"undeclared: sender_bus may {BUS}/send/action on bus/relay",
    ),
    "identity attached to a second app": Mistake(
        "app",
        "[for identity in app.identities: identities[indexOf(allIdentities, identity)].id]",
        "[for (identity, i) in allIdentities: identities[i].id]",
        "undeclared: apps/sender has identities/decrypt",
    ),
    "local auth on": Mistake(
        "bus",
        "disableLocalAuth: true",
        "disableLocalAuth: false",
        "undeclared: bus/relay takes shared keys",
    ),
    "queue without its dead-letter forward": Mistake(
        "bus",
        "forwardDeadLetteredMessagesTo: queue.?forwardDeadLettersTo",
        "userMetadata: queue.?forwardDeadLettersTo",
        "missing: messages forwards dead letters to dead-letters",
    ),
    "lost setting": Mistake(
        "site",
        "settingName('KEY', key)",
        "settingName('KEYS', key)",
        "missing: apps/sender has the setting RELAY_KEY_PAYLOAD = keyUri of "
        "vaults/payload/keys/payload",
    ),
    "wrong queue name": Mistake(
        "site",
        "settingName('QUEUE', queue), queue => queue)",
        "settingName('QUEUE', queue), queue => '${queue}s')",
        "undeclared: apps/sender has the setting RELAY_QUEUE_MESSAGES = messagess",
    ),
    "public blob": Mistake(
        "storage",
        "publicAccess: 'None'",
        "publicAccess: 'Blob'",
        "undeclared: storages/sender/blobservices/default/containers/packages has public blobs",
    ),
    "http allowed": Mistake(
        "site",
        "httpsOnly: true",
        "httpsOnly: false",
        "undeclared: apps/receiver answers without TLS",
    ),
    "basic auth on": Mistake(
        "site",
        "// As above.\n    location: location\n    properties: { allow: false }",
        "// As above.\n    location: location\n    properties: { allow: true }",
        "undeclared: apps/tracker/basicpublishingcredentialspolicies/scm takes a password",
    ),
    "purge protection off": Mistake(
        "vault",
        "enablePurgeProtection: true",
        "enablePurgeProtection: false",
        "undeclared: vaults/payload can be purged",
    ),
    "system identity with another role": Mistake(
        "hostRights",
        BLOB_OWNER,
        CONTRIBUTOR,
        "undeclared: apps/sender may what role /subscriptions/00000000-0000-4000-8000-000000000001"
        f"/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR} permits "
        "on storages/sender",
    ),
    "package under the app itself": Mistake(
        "site",
        "{ type: 'UserAssignedIdentity', userAssignedIdentityResourceId: packageIdentityId }",
        "{ type: 'SystemAssignedIdentity', storageAccountConnectionStringName: packageIdentityId }",
        "missing: apps/sender stores its package under identities/sender_package",
    ),
    "package right at the account": Mistake(
        "packageRights",
        "scope: account::blobs::packages\n",
        "scope: account\n",
        "undeclared: sender_package may Microsoft.Storage/storageAccounts/blobServices/containers"
        "/blobs/write on storages/sender",
    ),
    "disk that grows": Mistake(
        "database",
        "autoGrow: 'Disabled'",
        "autoGrow: 'Enabled'",
        "undeclared: databases/relay grows, and no deployment makes it smaller",
    ),
    "alert that is too late": Mistake(
        "alerts",
        "threshold: 70",
        "threshold: 90",
        "undeclared: databases/relay fills its disk without an alert",
    ),
    "key for another operation": Mistake(
        "vault",
        "keyOps: ['encrypt', 'decrypt']",
        "keyOps: ['encrypt', 'decrypt', 'sign']",
        "undeclared: vaults/payload/keys/payload can sign",
    ),
    "firewall open in private mode": Mistake(
        "vault",
        "defaultAction: network == 'private' ? 'Deny' : networkDefault",
        "defaultAction: networkDefault",
        "undeclared: vaults/payload has an open firewall",
    ),
    "database open in private mode": Mistake(
        "database",
        "network: { publicNetworkAccess: network == 'private' ? 'Disabled' : 'Enabled' }",
        "network: { publicNetworkAccess: 'Enabled' }",
        "undeclared: databases/relay is reached from everywhere",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Give fresh copies of the infrastructure, with the private deployment alone."""

    def copied() -> Path:
        copy = tmp_path_factory.mktemp("planted") / "infra"
        shutil.copytree(infra.INFRA, copy)
        for parameters in copy.glob("*.bicepparam"):
            if parameters.stem != "local-private":
                parameters.unlink()
        return copy

    return copied


@pytest.fixture(scope="module")
def told(folder: Callable[[], Path]) -> list[str]:
    """What `make infra` says of all mistakes at once: the compiler takes its time for each run."""
    copy = folder()
    for mistake in MISTAKES.values():
        source = copy / "modules" / f"{mistake.source}.bicep"
        text = source.read_text()
        assert text.count(mistake.right) == 1, mistake
        source.write_text(text.replace(mistake.right, mistake.wrong))
    with pytest.raises(infra.InfraError) as found:
        infra.build(copy)
    return str(found.value).splitlines()


ONCE = "@onlyIfNotExists()\nresource {} "


def test_what_is_made_once_says_so_itself(folder: Callable[[], Path]) -> None:
    copy = folder()
    source = copy / "modules" / "vault.bicep"
    text = source.read_text()
    for symbol in ("vaultKeys", "ownSecrets"):
        assert text.count(ONCE.format(symbol)) == 1
        text = text.replace(ONCE.format(symbol), f"resource {symbol} ")
    source.write_text(text)
    source = copy / "modules" / "deployedSecret.bicep"
    source.write_text(source.read_text().replace("resource secret ", ONCE.format("secret")))
    for judge in (infra.build, infra.check):
        with pytest.raises(infra.InfraError) as found:
            judge(copy)
        assert str(found.value).splitlines() == [
            f"main.bicep: vaultKeys ({KEY}) lacks @onlyIfNotExists()",
            f"main.bicep: ownSecrets ({SECRET}) lacks @onlyIfNotExists()",
            f"main.bicep: secret ({SECRET}) has @onlyIfNotExists() and a value to be written",
        ]


@pytest.mark.parametrize("planted", MISTAKES)
def test_a_mistake_in_the_bicep_is_named(told: list[str], planted: str) -> None:
    assert f"local-private.snapshot.json: {MISTAKES[planted].called}" in told


def test_a_private_network_takes_the_premium_tier(folder: Callable[[], Path]) -> None:
    copy = folder()
    parameters = copy / "local-private.bicepparam"
    parameters.write_text(parameters.read_text().replace("'Premium'", "'Standard'"))
    with pytest.raises(infra.InfraError, match="network private needs busTier Premium"):
        infra.build(copy)

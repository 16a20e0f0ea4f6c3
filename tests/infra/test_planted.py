"""Mistakes in the Bicep itself: compiled by the compiler, each named by the check it is for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from checks import compiler, infra
from checks.resource_types import DATABASE, KEY, SECRET, VAULT

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        compiler.compiler() is None, reason="no bicep on the PATH to compile the mistakes"
    ),
]

NAMESPACE = "Microsoft.ServiceBus/namespaces"
KEYS, BUS = "Microsoft.KeyVault/vaults/keys", "Microsoft.ServiceBus/namespaces/messages"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"


class Mistake(NamedTuple):
    """What a source has, what is put in its place, and what the check calls it."""

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
        f"{NAMESPACE} relay-local: properties.disableLocalAuth is false: it must be true",
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
        "Microsoft.Storage/storageAccounts/blobServices/containers senderlocal/default/packages: "
        'properties.publicAccess is "Blob": it must be "None": ',
    ),
    "http allowed": Mistake(
        "site",
        "httpsOnly: true",
        "httpsOnly: false",
        "Microsoft.Web/sites relay-receiver-local: properties.httpsOnly is false: it must be true",
    ),
    "basic auth on": Mistake(
        "site",
        "// As above.\n    location: location\n    properties: { allow: false }",
        "// As above.\n    location: location\n    properties: { allow: true }",
        "Microsoft.Web/sites/basicPublishingCredentialsPolicies relay-tracker-local/scm: "
        "properties.allow is true: it must be false: ",
    ),
    "purge protection off": Mistake(
        "vault",
        "enablePurgeProtection: true",
        "enablePurgeProtection: false",
        f"{VAULT} payload-local: properties.enablePurgeProtection is false: it must be true",
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
        f'{DATABASE} relay-local: properties.storage.autoGrow is "Enabled": it must ',
    ),
    "alert that is too late": Mistake(
        "alerts",
        "threshold: 70",
        "threshold: 90",
        "Microsoft.Insights/metricAlerts relay-storage-local: "
        "properties.criteria.allOf[0].threshold is 90: it must be 70: ",
    ),
    "key for another operation": Mistake(
        "vault",
        "keyOps: ['encrypt', 'decrypt']",
        "keyOps: ['encrypt', 'decrypt', 'sign']",
        f'{KEY} payload-local/payload: properties.keyOps[2] is "sign": nothing allows it: ',
    ),
    "firewall open in private mode": Mistake(
        "vault",
        "defaultAction: network == 'private' ? 'Deny' : networkDefault",
        "defaultAction: networkDefault",
        f'{VAULT} payload-local: properties.networkAcls.defaultAction is "Allow": it ',
    ),
    "database open in private mode": Mistake(
        "database",
        "network: { publicNetworkAccess: network == 'private' ? 'Disabled' : 'Enabled' }",
        "network: { publicNetworkAccess: 'Enabled' }",
        f'{DATABASE} relay-local: properties.network.publicNetworkAccess is "Enabled": ',
    ),
}


# What no snapshot shows: the default of a parameter, a secret that leaves, where a secret goes.
HIDDEN_MISTAKES = {
    "a key for 73 years": (
        "main.bicep",
        "'P1Y'",
        "'P73Y'",
        "main.bicep parameter: expiry.defaultValue is ",
    ),
    "an output of a module": (
        "modules/database.bicep",
        "resource server 'Micro",
        "output account string = administrator\n\nresource server 'Micro",
        "output of module: database.account is ",
    ),
    "no certificate": (
        "main.bicep",
        "ssl=verify-full",
        "ssl=disable",
        "secret in: deployedSecrets.secretValues",
    ),
    "another host": (
        "main.bicep",
        "'relay-${suffix}.postgres.database.azure.com'",
        "'relay-${suffix}.postgres.database.example'",
        "secret in: variables.databaseHost is ",
    ),
    "a password in the open": (
        "main.parameters.json",
        "$(secretOrRandomPassword)",
        "hunter2hunter2",
        "main.parameters.json: databasePassword is (a value that is not shown): ",
    ),
}


@pytest.fixture(scope="module")
def hidden(folder: Callable[[], Path]) -> list[str]:
    copy = folder()
    for file, right, wrong, _ in HIDDEN_MISTAKES.values():
        text = (copy / file).read_text()
        assert text.count(right) == 1, right
        (copy / file).write_text(text.replace(right, wrong))
    with pytest.raises(compiler.InfraError) as found:
        infra.build(copy)
    return str(found.value).splitlines()


@pytest.mark.parametrize("planted", HIDDEN_MISTAKES)
def test_a_mistake_that_no_snapshot_shows_is_named(hidden: list[str], planted: str) -> None:
    *_, called = HIDDEN_MISTAKES[planted]
    assert any(line.startswith(called) for line in hidden), hidden
    assert "hunter2" not in " ".join(hidden)


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
def reported(folder: Callable[[], Path]) -> list[str]:
    """What `make infra` says of all mistakes at once: the compiler takes its time for each run."""
    copy = folder()
    for mistake in MISTAKES.values():
        source = copy / "modules" / f"{mistake.source}.bicep"
        text = source.read_text()
        assert text.count(mistake.right) == 1, mistake
        source.write_text(text.replace(mistake.right, mistake.wrong))
    with pytest.raises(compiler.InfraError) as found:
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
        with pytest.raises(compiler.InfraError) as found:
            judge(copy)
        assert str(found.value).splitlines() == [
            f"main.bicep: vaultKeys ({KEY}) lacks @onlyIfNotExists()",
            f"main.bicep: ownSecrets ({SECRET}) lacks @onlyIfNotExists()",
            f"main.bicep: secret ({SECRET}) has @onlyIfNotExists() and a value to be written",
        ]


@pytest.mark.parametrize("planted", MISTAKES)
def test_a_mistake_in_the_bicep_is_named(reported: list[str], planted: str) -> None:
    called = f"local-private.snapshot.json: {MISTAKES[planted].called}"
    assert any(line.startswith(called) for line in reported), reported


def test_a_private_network_takes_the_premium_tier(folder: Callable[[], Path]) -> None:
    copy = folder()
    parameters = copy / "local-private.bicepparam"
    parameters.write_text(parameters.read_text().replace("'Premium'", "'Standard'"))
    with pytest.raises(compiler.InfraError, match="network private needs busTier Premium"):
        infra.build(copy)

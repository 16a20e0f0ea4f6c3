"""What a deployment must have switched on, or off, whatever is granted to whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.declaration import Access
from checks.resource_types import (
    ALERT,
    BUS,
    COMPONENT,
    CONTAINER,
    DATABASE,
    KEY,
    PASSWORD,
    SECRET,
    SITE,
    STORAGE,
    VAULT,
    WORKSPACE,
)
from checks.snapshot import Snapshot, at, of_type, place


@dataclass(frozen=True)
class Rule:
    """A property that must be said, and be one of the values; `weakness` is what it is if not."""

    kind: str
    path: str
    values: tuple[object, ...]
    weakness: str


_RULES = (
    Rule(VAULT, "enableSoftDelete", (True,), "forgets at once what is deleted"),
    Rule(VAULT, "enablePurgeProtection", (True,), "can be purged"),
    Rule(VAULT, "networkAcls.bypass", ("None",), "lets services of Azure pass its firewall"),
    Rule(VAULT, "enabledForDeployment", (None, False), "gives secrets to virtual machines"),
    Rule(VAULT, "enabledForDiskEncryption", (None, False), "gives secrets to disk encryption"),
    Rule(VAULT, "enabledForTemplateDeployment", (None, False), "gives secrets to deployments"),
    Rule(KEY, "kty", ("RSA", "RSA-HSM"), "is no RSA key"),
    Rule(KEY, "keySize", (2048, 3072, 4096), "has no size"),
    Rule(KEY, "attributes.exportable", (None, False), "can be exported"),
    Rule(BUS, "disableLocalAuth", (True,), "takes shared keys"),
    Rule(BUS, "minimumTlsVersion", ("1.2", "1.3"), "takes old TLS"),
    Rule(STORAGE, "allowSharedKeyAccess", (False,), "takes shared keys"),
    Rule(STORAGE, "allowBlobPublicAccess", (False,), "can have public blobs"),
    Rule(STORAGE, "allowCrossTenantReplication", (False,), "can be copied to another tenant"),
    Rule(STORAGE, "supportsHttpsTrafficOnly", (True,), "answers without TLS"),
    Rule(STORAGE, "minimumTlsVersion", ("TLS1_2", "TLS1_3"), "takes old TLS"),
    Rule(STORAGE, "isLocalUserEnabled", (None, False), "has users with passwords"),
    Rule(CONTAINER, "publicAccess", ("None",), "has public blobs"),
    Rule(SITE, "httpsOnly", (True,), "answers without TLS"),
    Rule(SITE, "siteConfig.minTlsVersion", ("1.2", "1.3"), "takes old TLS"),
    Rule(SITE, "siteConfig.scmMinTlsVersion", ("1.2", "1.3"), "takes old TLS for publishing"),
    Rule(SITE, "siteConfig.remoteDebuggingEnabled", (False,), "can be debugged from afar"),
    Rule(
        SITE,
        "functionAppConfig.deployment.storage.authentication.type",
        ("UserAssignedIdentity",),
        "gets its package as somebody else",
    ),
    Rule(PASSWORD, "allow", (False,), "takes a password"),
    Rule(COMPONENT, "DisableLocalAuth", (True,), "takes telemetry from anybody"),
    Rule(WORKSPACE, "features.disableLocalAuth", (True,), "takes logs by a shared key"),
    Rule(DATABASE, "storage.autoGrow", ("Disabled",), "grows, and no deployment makes it smaller"),
    Rule(DATABASE, "authConfig.activeDirectoryAuth", ("Disabled",), "lets the directory sign in"),
)


def weaknesses(access: Access, snapshot: Snapshot) -> Iterator[str]:
    """Name everything that is weaker than it has to be."""
    for rule in _RULES:
        for resource in of_type(snapshot, rule.kind):
            if at(resource, rule.path) not in rule.values:
                yield f"{place(snapshot, resource['id'])} {rule.weakness}"
    yield from _unaudited(snapshot)
    yield from _keys(access, snapshot)
    yield from _values(snapshot)
    yield from _once(snapshot)
    yield from _packages(snapshot)
    yield from _database(snapshot)


def _unaudited(snapshot: Snapshot) -> Iterator[str]:
    workspaces = {workspace["id"].lower() for workspace in of_type(snapshot, WORKSPACE)}
    audited = {
        setting["id"].lower().rpartition("/providers/microsoft.insights/")[0]
        for setting in of_type(snapshot, "Microsoft.Insights/diagnosticSettings")
        if str(at(setting, "workspaceId")).lower() in workspaces
        for log in at(setting, "logs") or []
        if log.get("enabled") and "audit" in str(log.get("categoryGroup", log.get("category")))
    }
    for vault in of_type(snapshot, VAULT):
        if vault["id"].lower() not in audited:
            yield f"{place(snapshot, vault['id'])} keeps no audit log"
    for component in of_type(snapshot, COMPONENT):
        if str(at(component, "WorkspaceResourceId")).lower() not in workspaces:
            yield f"{place(snapshot, component['id'])} has no workspace of this deployment"


def _keys(access: Access, snapshot: Snapshot) -> Iterator[str]:
    """Hold each key to the operations that somebody is granted, to an end and to a rotation."""
    granted: dict[str, set[str]] = {}
    for grant in access["keyGrants"]:
        here = f"vaults/{grant['vault']}/keys/{grant['key']}"
        granted.setdefault(here, set()).update(grant["operations"])
    for key in of_type(snapshot, KEY):
        here = place(snapshot, key["id"])
        allowed = at(key, "keyOps") or ["everything"]
        yield from (
            f"{here} can {name}" for name in sorted(set(allowed) - granted.get(here, set()))
        )
        actions = [
            action.get("action", {}).get("type")
            for action in at(key, "rotationPolicy.lifetimeActions") or []
        ]
        if "rotate" not in actions:
            yield f"{here} is never rotated"
        if not isinstance(at(key, "attributes.exp"), int):
            yield f"{here} never expires"


def _values(snapshot: Snapshot) -> Iterator[str]:
    """Hold secrets to placeholders and secure parameters: a snapshot is there to be read."""
    for secret in of_type(snapshot, SECRET):
        here, value = place(snapshot, secret["id"]), str(at(secret, "value"))
        if not _is_parameter(value) and not _is_unset(value):
            yield f"{here} has a value that anybody can read"
        if not isinstance(at(secret, "attributes.exp"), int):
            yield f"{here} never expires"
        if not at(secret, "contentType"):
            yield f"{here} does not say what it is"


def _once(snapshot: Snapshot) -> Iterator[str]:
    """Hold keys, and secrets whose value an operator sets, to be made once and then left alone.

    Another deployment of a key fails, and of such a secret takes back what the operator set. A
    snapshot does not show what is made only where it is not there yet: an output says it.
    """
    once = {resource_id.lower() for resource_id in snapshot["outputs"].get("madeOnce", [])}
    written = [s for s in of_type(snapshot, SECRET) if not _is_unset(at(s, "value"))]
    for resource in (*of_type(snapshot, KEY), *of_type(snapshot, SECRET)):
        here, is_once = place(snapshot, resource["id"]), resource["id"].lower() in once
        if resource in written and is_once:
            yield f"{here} is made once, and its value would be too"
        if resource not in written and not is_once:
            yield f"{here} is made again with each deployment"


def _is_parameter(value: object) -> bool:
    return str(value).startswith("[parameters(")


def _is_unset(value: object) -> bool:
    return str(value).startswith('{"kind": "unset"')


def _packages(snapshot: Snapshot) -> Iterator[str]:
    """Hold each app to packages of its own, and to no password for publishing."""
    closed = {resource["id"].lower() for resource in of_type(snapshot, PASSWORD)}
    for site in of_type(snapshot, SITE):
        here = place(snapshot, site["id"])
        for way in ("ftp", "scm"):
            if f"{site['id']}/basicPublishingCredentialsPolicies/{way}".lower() not in closed:
                yield f"{here} takes a password for {way}"
        settings = {
            setting["name"]: setting["value"]
            for setting in at(site, "siteConfig.appSettings") or []
        }
        own = f"{settings.get('AzureWebJobsStorage__blobServiceUri')}/packages"
        if at(site, "functionAppConfig.deployment.storage.value") != own:
            yield f"{here} gets its package from elsewhere"


_ENCRYPTION = {
    "require_secure_transport": ("on",),
    "ssl_min_protocol_version": ("tlsv1.2", "tlsv1.3"),
}


def _database(snapshot: Snapshot) -> Iterator[str]:
    said = {
        resource["id"].lower(): str(at(resource, "value")).lower()
        for resource in of_type(snapshot, f"{DATABASE}/configurations")
    }
    for server in of_type(snapshot, DATABASE):
        here = place(snapshot, server["id"])
        for name, values in _ENCRYPTION.items():
            if said.get(f"{server['id'].lower()}/configurations/{name}") not in values:
                yield f"{here} does not hold to {name} = {values[0]}"
        if not _is_parameter(at(server, "administratorLoginPassword")):
            yield f"{here} has a password that anybody can read"
        if server["id"].lower() not in set(_watched(snapshot)):
            yield f"{here} fills its disk without an alert"


_FULL = 84
"""Per cent of the smallest disk at which 5 GiB are left: with less, nothing is written any more."""


def _watched(snapshot: Snapshot) -> Iterator[str]:
    """Give the ids of the servers for which there is an alert while there is room on the disk."""
    for alert in of_type(snapshot, ALERT):
        for criterion in at(alert, "criteria.allOf") or []:
            rises = str(criterion.get("operator")).startswith("GreaterThan")
            early = 0 < criterion.get("threshold", 0) < _FULL
            if at(alert, "enabled") and criterion.get("metricName") == "storage_percent":
                yield from (str(i).lower() for i in at(alert, "scopes") or [] if rises and early)

"""What the tables of allowed properties refer to: the declaration and the deployment's choices."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from checks.declaration import Access
from checks.machines import SCRIPT
from checks.property_rules import (
    AllowedType,
    ExpectedResource,
    Facts,
    TableError,
    filled,
    holds,
)
from checks.queue_sizes import DEFAULTS, OTHER_DEFAULT
from checks.roles import KEY_ACTIONS
from local.deployment.bicep import SUBSCRIPTION, TENANT
from local.resource_manager.expressions import guid


def of_deployment(access: Access, parameters: Mapping[str, Any]) -> Facts:
    """Return the facts of a whole deployment; `parameters` are the values it is evaluated with."""
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{parameters['environmentName']}"
    apps, endpoints = _subnets(parameters["addressPrefix"])
    return {
        **parameters,
        "environment": parameters["environmentName"],
        "subscription": SUBSCRIPTION,
        "tenant": TENANT,
        "group": group,
        "script": SCRIPT.read_text(encoding="utf-8"),
        "made_once": list(_made_once(access, f"{group}/providers", parameters["suffix"])),
        "alerted": bool(parameters["alertAddresses"]),
        "oldest_seconds": 60 * parameters["alertOldestMinutes"],
        "email_receivers": [
            {"name": f"address-{i}", "emailAddress": address, "useCommonAlertSchema": True}
            for i, address in enumerate(parameters["alertAddresses"])
        ],
        "address_rules": [{"value": one} for one in parameters["allowedAddresses"]],
        "apps_prefix": apps,
        "endpoints_prefix": endpoints,
        "with_machines": bool(parameters["machines"]),
        **{f"order.{app['name']}": i for i, app in enumerate(access["apps"])},
    }


def _made_once(access: Access, providers: str, suffix: str) -> Iterator[str]:
    for key in access["keys"]:
        yield f"{providers}/Microsoft.KeyVault/vaults/{key['vault']}-{suffix}/keys/{key['name']}"
    for secret in access["secrets"]:
        if not secret.get("deployed"):
            vault = f"{secret['vault']}-{suffix}"
            yield f"{providers}/Microsoft.KeyVault/vaults/{vault}/secrets/{secret['name']}"


def _subnets(prefix: str) -> tuple[str, str]:
    apps, endpoints = ipaddress.ip_network(prefix).subnets()
    return f"{apps}", f"{endpoints}"


def of_resources(
    allowed: AllowedType, access: Access, facts: Facts
) -> dict[str, tuple[Facts, str | None]]:
    """Return the resources of a type that are expected: by name, their facts and their scope."""
    found: dict[str, tuple[Facts, str | None]] = {}
    for expected in allowed.resources or ():
        for one in _each(expected, access, facts):
            if not holds(expected.when, one):
                continue
            scope = None if expected.scope is None else str(filled(expected.scope, one))
            found[str(filled(expected.name, one))] = one, scope
    return found


def _each(expected: ExpectedResource, access: Access, facts: Facts) -> Iterator[Facts]:
    kinds = _kinds(access, facts)
    if expected.each is not None and expected.each not in kinds:
        raise TableError(f"{expected.name}: each has no kind {expected.each}")
    for item in [{}] if expected.each is None else kinds[expected.each]:
        known = {**facts, **item}
        for name, value in expected.facts.items():
            known[name] = filled(value, known)
        yield known


def _kinds(access: Access, facts: Facts) -> dict[str, list[dict[str, Any]]]:
    return {
        "identity": [{"identity": one["name"]} for one in access["identities"]],
        "app": [{"app": one["name"], **_scale(one["name"], facts)} for one in access["apps"]],
        "machine": [
            {"machine": one["name"], "own_identity": one["systemIdentity"]}
            for one in access["machines"]
        ],
        "vault": [{"vault": one["name"]} for one in access["vaults"]],
        "key": [{"vault": one["vault"], "key": one["name"]} for one in access["keys"]],
        "secret": [
            {"vault": one["vault"], "secret": one["name"], "deployed": bool(one.get("deployed"))}
            for one in access["secrets"]
        ],
        "queue": [
            {
                "queue": one["name"],
                "deduplicates": "duplicateDetection" in one,
                "size": {**DEFAULTS, **facts["queueSizesMB"]}.get(one["name"], OTHER_DEFAULT),
            }
            for one in access["queues"]
        ],
        "role": list(_roles(access, str(facts["group"]))),
        "range": [
            {"order": i, "first": f"{network[0]}", "last": f"{network[-1]}"}
            for i, network in enumerate(
                ipaddress.ip_network(one) for one in facts["allowedAddresses"]
            )
        ],
    }


def _scale(app: str, facts: Facts) -> dict[str, Any]:
    given = facts["scale"].get(app, {})
    return {
        "memory": given.get("instanceMemoryMB", 2048),
        "instances": given.get("maximumInstanceCount", 40),
        "always_ready": given.get("alwaysReady", []),
    }


def _roles(access: Access, group: str) -> Iterator[dict[str, Any]]:
    """Yield each custom role: its name, its kind of object and what it permits."""
    on_keys: list[str] = [
        *(use for grant in access["keyGrants"] for use in grant["operations"]),
        *(use for held in access["operatorKeyGrants"] for use in held["operations"]),
    ]
    on_secrets: list[str] = [
        "getSecret",
        *(use for held in access["operatorSecretGrants"] for use in held["operations"]),
    ]
    vaults = "Microsoft.KeyVault/vaults"
    for use in dict.fromkeys(on_keys):
        action = f"{vaults}/keys/{KEY_ACTIONS.get(use, f'{use}/action')}"
        yield _role(group, "keys", use, [{"dataActions": [action]}])
    for use in dict.fromkeys(on_secrets):
        action = f"{vaults}/secrets/{use}/action"
        yield _role(group, "secrets", use, [{"dataActions": [action]}])
    if access["scaleGrants"]:
        action = "Microsoft.ServiceBus/namespaces/queues/read"
        yield _role(group, "queues", "read", [{"actions": [action]}])


def _role(group: str, kind: str, use: str, permissions: list[Any]) -> dict[str, Any]:
    return {
        "role": guid(group, kind, use),
        "kind": kind,
        "permissions": permissions,
    }

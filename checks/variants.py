"""The deployments that are evaluated and judged, by name, and the parameters of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks.declaration import Access
from checks.property_rules import PARAMETERS, read_table

EXPIRY = 4_000_000_000
"""What the parameter files have instead of a clock (`infra/nobody.bicep`), and nothing else has."""

_PRIVATE = {"network": "private", "busTier": "Premium"}
_POLICIES = {"vaultAuthorization": "accessPolicies"}
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB1z6TBQTfrYpagiJSyG1yxOpVSK2e4kDRJ3f46/+BvD nobody"
_MACHINES = {"machines": ["reader", "merged", "split"], "machinePublicKey": _KEY}

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "local": {},
    "local-private": _PRIVATE,
    "local-policies": _POLICIES,
    "local-policies-private": {**_POLICIES, **_PRIVATE},
    "machines": _MACHINES,
}
"""Those with a parameter file and a snapshot: what the local cloud boots."""

COMPILED: Mapping[str, Mapping[str, Any]] = {
    "premium": {"busTier": "Premium"},
    "machines-private": {**_MACHINES, **_PRIVATE},
    "options": {
        "vaultNetworkDefault": "Deny",
        "allowedAddresses": ["203.0.113.4/32", "198.51.100.0/24"],
        "alertAddresses": ["somebody@relay.example"],
        "alertRejected": 10,
        "alertOldestMinutes": 15,
        "queueSizesMB": {"retries": 4096, "rejected": 5120},
        "keySize": 4096,
        "databaseAdministrator": "ledger",
        "databaseSku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
        "databaseStorageGB": 64,
        "scale": {
            "receiver": {
                "instanceMemoryMB": 4096,
                "maximumInstanceCount": 7,
                "alwaysReady": [{"name": "function:receive", "instanceCount": 1}],
            }
        },
        "updateStrategy": "Recreate",
        "logRetentionDays": 30,
        "partnerConcurrency": 50,
        "partnerRate": 5,
        "appSettings": {"sender": {"RELAY_MAX_PAYLOAD_BYTES": "1000", "RELAY_APP": "tracker"}},
    },
    "policies-private-options": {
        **_POLICIES,
        **_PRIVATE,
        "addressPrefix": "10.20.0.0/22",
        "allowedAddresses": ["203.0.113.4/32"],
        "vaultNetworkDefault": "Allow",
    },
}
"""Those that are evaluated where the compiler is, and judged; every parameter differs in one."""


def parameters_of(name: str, access: Access) -> dict[str, Any]:
    """Return all parameters of a deployment: its own, else the defaults of `main.bicep`."""
    given = VARIANTS[name] if name in VARIANTS else COMPILED[name]
    return {**defaults(), **in_every_file(access), **given}


def defaults() -> dict[str, Any]:
    """Return the defaults of the parameters, as `checks/allowed/parameters.json` has them."""
    return {
        name: one["definition"]["defaultValue"]
        for name, one in read_table(PARAMETERS)["parameters"].items()
        if "defaultValue" in one["definition"]
    }


def in_every_file(access: Access) -> dict[str, Any]:
    """Return what every parameter file has instead of clock, directory and subscription."""
    return {
        "environmentName": "relay-local",
        "location": "westeurope",
        "suffix": "local",
        "storageSuffix": "core.windows.net",
        "expiry": EXPIRY,
        "operators": {
            operator["name"]: [f"00000000-0000-4000-8000-0000000001{i:02d}"]
            for i, operator in enumerate(access["operators"])
        },
    }

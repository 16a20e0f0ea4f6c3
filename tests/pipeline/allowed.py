"""What a deployment allows, by plain rules from its snapshot alone.

The role assignments at an object or above it, or the vault's policies, and the identities of the
sites. Written apart from what it judges, so that a mistake is not made twice.
"""

from __future__ import annotations

import copy
import json
import re
import uuid
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]
Grant: TypeAlias = tuple[str, str, str, str]  # identity, kind, object, operation

VAULTS, BUS = "Microsoft.KeyVault/vaults", "Microsoft.ServiceBus/namespaces"
ASSIGNMENT, ROLE = (
    "Microsoft.Authorization/roleAssignments",
    ("Microsoft.Authorization/roleDefinitions"),
)
ACTIONS = {
    ("key", "encrypt"): f"{VAULTS}/keys/encrypt/action",
    ("key", "decrypt"): f"{VAULTS}/keys/decrypt/action",
    ("key", "get"): f"{VAULTS}/keys/read",
    ("secret", "get"): f"{VAULTS}/secrets/getSecret/action",
    ("secret", "list"): f"{VAULTS}/secrets/readMetadata/action",
    ("queue", "send"): f"{BUS}/messages/send/action",
    ("queue", "receive"): f"{BUS}/messages/receive/action",
}
BUILT_IN = {
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": ["Microsoft.ServiceBus/*/send/action"],
    "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0": ["Microsoft.ServiceBus/*/receive/action"],
}
KINDS = {f"{VAULTS}/keys": "key", f"{VAULTS}/secrets": "secret", f"{BUS}/queues": "queue"}


class Snapshot:
    """A snapshot and the plain rules that say what it allows."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.by_id = {r["id"]: r for r in document["predictedResources"]}
        self.group = next(
            i for i in self.by_id if re.fullmatch(r"/subscriptions/.+Groups/[^/]+", i)
        )

    @classmethod
    def load(cls, path: Path) -> Snapshot:
        return cls(json.loads(path.read_text()))

    def copy(self) -> Snapshot:
        return Snapshot(copy.deepcopy(self.document))

    def of_type(self, kind: str) -> list[Document]:
        return [r for r in self.by_id.values() if r["type"] == kind]

    def principals(self) -> dict[str, str]:
        """How a snapshot writes the principal id of each identity and operator, by its name."""
        found = {}
        for one in self.of_type("Microsoft.ManagedIdentity/userAssignedIdentities"):
            text = f"[reference('{one['id']}', '{one['apiVersion']}').principalId]"
            found[one["id"].rpartition("/")[2].removesuffix("-local")] = text
        for app, site in self.sites().items():
            version = f"'{site['apiVersion']}', 'full'"
            found[f"{app} (system)"] = (
                f"[reference('{site['id']}', {version}).identity.principalId]"
            )
        for name, ids in self.document["outputs"]["operators"].items():
            found[name] = ids[0]
        return found

    def sites(self) -> dict[str, Document]:
        def app(site: Document) -> str:
            settings = site["properties"]["siteConfig"]["appSettings"]
            return next(str(s["value"]) for s in settings if s["name"] == "RELAY_APP")

        return {app(site): site for site in self.of_type("Microsoft.Web/sites")}

    def objects(self) -> Iterator[tuple[str, str, str]]:
        """Kind, name and resource id of each key, secret and queue."""
        for resource_id, resource in self.by_id.items():
            if resource["type"] in KINDS:
                yield KINDS[resource["type"]], resource_id.rpartition("/")[2], resource_id

    def allowed(self) -> set[Grant]:
        tokens = {
            (identity.rpartition("/")[2].removesuffix("-local"), "app", app, "token")
            for app, site in self.sites().items()
            for identity in site["identity"]["userAssignedIdentities"]
        }
        tokens |= {(f"{app} (system)", "app", app, "token") for app in self.sites()}
        return tokens | {
            (who, kind, name, operation)
            for who, principal in self.principals().items()
            for kind, name, resource_id in self.objects()
            for (of, operation), action in ACTIONS.items()
            if of == kind and self._may(principal, kind, operation, action, resource_id)
        }

    def _may(self, who: str, kind: str, operation: str, action: str, resource_id: str) -> bool:
        vault = self.by_id.get(resource_id.rsplit("/", 2)[0])
        if kind != "queue" and vault and not vault["properties"]["enableRbacAuthorization"]:
            return any(
                operation in [p.lower() for p in policy["permissions"][f"{kind}s"]]
                for policy in vault["properties"]["accessPolicies"]
                if same(policy["objectId"], who)
            )
        return any(
            same(one["properties"]["principalId"], who)
            and f"{resource_id}/".lower().startswith(f"{scope(one)}/".lower())
            and any(fnmatchcase(action.lower(), a.lower()) for a in self.permitted(one))
            for one in self.of_type(ASSIGNMENT)
        )

    def permitted(self, assignment: Document) -> list[str]:
        role = assignment["properties"]["roleDefinitionId"].rpartition("/")[2]
        for one in self.of_type(ROLE):
            if one["id"].rpartition("/")[2] == role:
                permissions = one["properties"]["permissions"]
                return [a for p in permissions for a in p.get("dataActions", [])]
        return BUILT_IN.get(role, [])

    def add(self, resource: Document) -> None:
        self.document["predictedResources"].append(resource)
        self.by_id[resource["id"]] = resource

    def remove(self, resource_id: str) -> None:
        resource = self.by_id.pop(resource_id)
        self.document["predictedResources"].remove(resource)

    def assign(self, principal: str, action: str, where: str) -> None:
        """Give a role of its own, which permits this one action, at that place."""
        guid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{principal}{action}{where}"))
        role = f"{self.group}/providers/{ROLE}/{guid}"
        self.add(
            {
                "id": role,
                "type": ROLE,
                "name": guid,
                "apiVersion": "2022-04-01",
                "properties": {
                    "roleName": f"One more {guid}",
                    "type": "CustomRole",
                    "assignableScopes": [self.group],
                    "permissions": [{"dataActions": [action]}],
                },
            }
        )
        self.add(
            {
                "id": f"{where}/providers/{ASSIGNMENT}/{guid}",
                "type": ASSIGNMENT,
                "name": guid,
                "apiVersion": "2022-04-01",
                "properties": {"roleDefinitionId": role, "principalId": principal},
            }
        )

    def permit(self, principal: str, vault: str, family: str, permission: str) -> None:
        """Permit something by the access policies of a vault."""
        properties = self.by_id[vault]["properties"]
        for policy in properties["accessPolicies"]:
            if same(policy["objectId"], principal):
                policy["permissions"][family].append(permission)
                return
        permissions: dict[str, list[str]] = {"keys": [], "secrets": [], family: [permission]}
        tenant = properties["tenantId"]
        properties["accessPolicies"].append(
            {"tenantId": tenant, "objectId": principal, "permissions": permissions}
        )

    def policy_vaults(self) -> list[Document]:
        vaults = self.of_type(VAULTS)
        return [v for v in vaults if not v["properties"]["enableRbacAuthorization"]]

    def grants(self) -> list[Document]:
        """The assignments that are about keys, secrets and queues."""
        ids = [resource_id for _, _, resource_id in self.objects()]
        return [one for one in self.of_type(ASSIGNMENT) if scope(one) in ids]


def scope(assignment: Document) -> str:
    # The id of an assignment that is named after its principal is an expression.
    written = f"{assignment['id']}"
    if found := re.match(rf"\[extensionResourceId\('([^']+)', '{ASSIGNMENT}', ", written):
        return found[1]
    return written.rpartition(f"/providers/{ASSIGNMENT}/")[0]


def same(one: str, other: str) -> bool:
    """Two ways to write one principal id differ in the version of the API at most."""
    return re.sub(r"'\d{4}-\d{2}-\d{2}'", "", one) == re.sub(r"'\d{4}-\d{2}-\d{2}'", "", other)

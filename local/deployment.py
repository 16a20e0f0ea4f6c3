"""A deployment, read from the snapshot that Bicep makes of it offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local.kinds import access, identities, service_bus, sites, vaults
from local.kinds.references import KEY_PATHS, SECRET_PATHS, VAULT_PATHS, References
from local.resource_id import last, normal, parent
from local.resources import AppSpec, Deployment, NamespaceSpec, Reference, VaultSpec
from local.roles import BUILT_IN, name_of
from local.snapshot import DeploymentError, Place, Resource, read

__all__ = ["DeploymentError", "load", "settings_of"]

_READ = (
    identities.KIND,
    vaults.KIND,
    vaults.KEY_KIND,
    vaults.SECRET_KIND,
    service_bus.KIND,
    service_bus.QUEUE_KIND,
    sites.KIND,
    access.DEFINITION_KIND,
    access.ASSIGNMENT_KIND,
)
# They change nothing on this machine: what holds, hosts, watches or shields the others.
_LEFT_OUT = (
    "Microsoft.Resources/resourceGroups",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.ServiceBus/namespaces/networkRuleSets",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.Insights/components",
    "Microsoft.Insights/diagnosticSettings",
)
_NO_TENANT = "00000000-0000-0000-0000-000000000000"


def load(path: Path) -> Deployment:
    """Read a file that `bicep snapshot` wrote.

    Raises `DeploymentError`, which names the resource and the property, for any resource kind,
    property or expression that the local cloud cannot honour.
    """
    return _Loading(path).deployment()


def settings_of(app: AppSpec, vault_uris: Mapping[str, str]) -> dict[str, str]:
    """Return an app's settings with every reference answered.

    `vault_uris`: resource id of each vault -> `https://host:port/`. Raises KeyError for a vault
    that is not among them.
    """
    uris = {normal(vault): uri.rstrip("/") + "/" for vault, uri in vault_uris.items()}
    return {
        name: value if isinstance(value, str) else _uri(value, uris)
        for name, value in app.settings.items()
    }


def _uri(reference: Reference, uris: Mapping[str, str]) -> str:
    resource_id = reference.resource_id
    if reference.path.lower() == "vaulturi":
        return uris[normal(resource_id)]
    kind = "keys" if reference.path.lower() == "keyuri" else "secrets"
    return f"{uris[normal(parent(resource_id))]}{kind}/{last(resource_id)}"


class _Loading:
    """One snapshot while it is being read: what is referred to comes before what refers."""

    def __init__(self, path: Path) -> None:
        self._place = Place(path)
        self._of_kind: dict[str, list[Resource]] = {kind: [] for kind in (*_READ, *_LEFT_OUT)}
        resources, self._outputs = read(path)
        self._sort(resources)
        self._identities = [identities.read(r) for r in self._of_kind[identities.KIND]]
        known = {normal(identity.resource_id): identity for identity in self._identities}
        self._attached = [identities.attached(r, known) for r in self._of_kind[sites.KIND]]
        self._tenant_id = self._tenant()
        self._references = self._refer()
        self._custom = {
            name_of(role.definition.resource_id): role
            for role in map(access.read_definition, self._of_kind[access.DEFINITION_KIND])
        }

    def deployment(self) -> Deployment:
        """Read what is left and put it together."""
        assignments = tuple(
            access.read_assignment(r, self._custom, self._references)
            for r in self._of_kind[access.ASSIGNMENT_KIND]
        )
        assigned = {name_of(a.role_definition_id) for a in assignments}
        own = tuple(role.definition for role in self._custom.values())
        built_in = tuple(role for guid, role in BUILT_IN.items() if guid in assigned)
        return Deployment(
            self._tenant_id,
            tuple(self._identities),
            self._vaults(),
            self._namespaces(),
            self._apps(),
            own + built_in,
            assignments,
            tuple(r.id for kind in _LEFT_OUT for r in self._of_kind[kind]),
            tuple(identities.operators(self._outputs.body("operators"))),
        )

    def _sort(self, resources: list[Resource]) -> None:
        kinds = {kind.lower(): kind for kind in self._of_kind}
        seen: set[str] = set()
        for resource in resources:
            kind = kinds.get(resource.type.lower())
            if kind is None:
                raise resource.place.refuse(f"{resource.type} is not to be had here")
            if normal(resource.id) in seen:
                raise resource.place.refuse("stands in the snapshot twice")
            seen.add(normal(resource.id))
            self._of_kind[kind].append(resource)

    def _tenant(self) -> str:
        tenants = {vaults.tenant(r): r for r in self._of_kind[vaults.KIND]}
        if len(tenants) > 1:
            raise self._place.refuse("its vaults are in different tenants")
        return next(iter(tenants), _NO_TENANT)

    def _refer(self) -> References:
        references = References(self._tenant_id)
        for identity in self._identities:
            references.add_identity(identity)
        for site, attached in zip(self._of_kind[sites.KIND], self._attached, strict=True):
            references.add_app(site.id, attached)
        for kind, paths in (
            (vaults.KIND, VAULT_PATHS),
            (vaults.KEY_KIND, KEY_PATHS),
            (vaults.SECRET_KIND, SECRET_PATHS),
        ):
            for resource in self._of_kind[kind]:
                references.add_later(resource.id, paths)
        return references

    def _vaults(self) -> tuple[VaultSpec, ...]:
        self._check_parents(vaults.KIND, vaults.KEY_KIND, vaults.SECRET_KIND)
        keys = [vaults.read_key(r) for r in self._of_kind[vaults.KEY_KIND]]
        secrets = [vaults.read_secret(r) for r in self._of_kind[vaults.SECRET_KIND]]
        return tuple(
            vaults.read(r, self._tenant_id, keys, secrets, self._references)
            for r in self._of_kind[vaults.KIND]
        )

    def _namespaces(self) -> tuple[NamespaceSpec, ...]:
        self._check_parents(service_bus.KIND, service_bus.QUEUE_KIND)
        namespaces = self._of_kind[service_bus.KIND]
        tiers = {normal(r.id): service_bus.tier(r) for r in namespaces}
        queues = [
            service_bus.read_queue(r, tiers[normal(parent(r.id))])
            for r in self._of_kind[service_bus.QUEUE_KIND]
        ]
        return tuple(service_bus.read(r, tiers[normal(r.id)], queues) for r in namespaces)

    def _apps(self) -> tuple[AppSpec, ...]:
        apps: dict[str, AppSpec] = {}
        for site, attached in zip(self._of_kind[sites.KIND], self._attached, strict=True):
            app = sites.read(site, attached, self._references)
            if app.app in apps:
                raise site.place.refuse(f"its RELAY_APP is that of {apps[app.app].name}")
            apps[app.app] = app
        return tuple(apps.values())

    def _check_parents(self, kind: str, *children: str) -> None:
        parents = {normal(resource.id) for resource in self._of_kind[kind]}
        for child in (resource for name in children for resource in self._of_kind[name]):
            if normal(parent(child.id)) not in parents:
                raise child.place.refuse("belongs to a resource that is not deployed with it")

"""A deployment, read from the snapshot that Bicep makes of it offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from local.deployment.readers import (
    access,
    access_rules,
    identities,
    machines,
    service_bus,
    sites,
    telemetry,
    vaults,
)
from local.deployment.readers.references import KEY_PATHS, SECRET_PATHS, VAULT_PATHS, References
from local.deployment.readers.unserved import UnservedResources
from local.deployment.resource_id import last, normal, parent
from local.deployment.resources import (
    AppSpec,
    Deployment,
    MachineSpec,
    NamespaceSpec,
    VaultSpec,
)
from local.deployment.roles import BUILT_IN
from local.deployment.snapshot import (
    SnapshotLocation,
    SnapshotObject,
    SnapshotResource,
    read,
    read_bytes,
)
from local.resource_manager.expressions import Reference
from local.resource_manager.role_assignments import role_name
from local.resource_manager.template import MADE_ONCE

_READ = (
    identities.KIND,
    vaults.KIND,
    vaults.KEY_KIND,
    vaults.SECRET_KIND,
    service_bus.KIND,
    service_bus.QUEUE_KIND,
    service_bus.TOPIC_KIND,
    service_bus.SUBSCRIPTION_KIND,
    service_bus.RULE_KIND,
    *access_rules.KINDS,
    sites.KIND,
    machines.KIND,
    machines.COMMAND_KIND,
    access.DEFINITION_KIND,
    access.ASSIGNMENT_KIND,
)
# Without effect on this machine: what contains, hosts, monitors or isolates the others.
_IGNORED = (
    # What a lock forbids, and what other clouds and clusters may sign in as.
    "Microsoft.Authorization/locks",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
    "Microsoft.Resources/resourceGroups",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.OperationalInsights/workspaces",
    telemetry.KIND,
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Insights/actionGroups",
    "Microsoft.Insights/metricAlerts",
    # The ledger is a file here.
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
    "Microsoft.DBforPostgreSQL/flexibleServers/databases",
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules",
    # Everything listens on the loopback address, which is private enough.
    "Microsoft.ServiceBus/namespaces/networkRuleSets",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
)
_NO_TENANT = "00000000-0000-0000-0000-000000000000"


def load(path: Path) -> Deployment:
    """Read a file that `bicep snapshot` wrote.

    Raises `DeploymentError`, which names the resource and the property, for any resource kind,
    property or expression that the local cloud does not support.
    """
    return _Loading(path, *read(path)).deployment()


def load_bytes(content: bytes, path: Path) -> Deployment:
    """Read the content of such a file; `path` names it in errors. Raises `DeploymentError`."""
    return _Loading(path, *read_bytes(content, path)).deployment()


def settings_of(
    app: AppSpec, urls: Mapping[str, str], apps: Sequence[AppSpec] = ()
) -> dict[str, str]:
    """Return an app's settings with every reference resolved.

    `urls`: resource id of each vault and of each of `apps` -> where it is; the public address of
    an app becomes that one. Raises KeyError for a resource that is not among them.
    """
    names = {f"https://{one.name}.azurewebsites.net": one.resource_id for one in apps}
    known = {normal(resource): url.rstrip("/") for resource, url in urls.items()}
    here = {address: known[normal(resource)] for address, resource in names.items()}
    return {name: here.get(value, value) for name, value in resolved(app.settings, urls).items()}


def resolved(values: Mapping[str, str | Reference], urls: Mapping[str, str]) -> dict[str, str]:
    """Return values with every reference resolved, as `settings_of` does."""
    known = {normal(resource): url.rstrip("/") for resource, url in urls.items()}
    return {
        name: value if isinstance(value, str) else _url(value, known)
        for name, value in values.items()
    }


def _url(reference: Reference, known: Mapping[str, str]) -> str:
    resource_id = reference.resource_id
    if reference.path.lower() == "vaulturi":
        return f"{known[normal(resource_id)]}/"
    kind = "keys" if reference.path.lower() == "keyuri" else "secrets"
    return f"{known[normal(parent(resource_id))]}/{kind}/{last(resource_id)}"


class _Loading:
    """One snapshot while it is read: what is referred to comes before what refers."""

    def __init__(
        self, path: Path, resources: list[SnapshotResource], outputs: SnapshotObject
    ) -> None:
        self._location = SnapshotLocation(path)
        self._outputs = outputs
        self._of_kind: dict[str, list[SnapshotResource]] = {
            kind: [] for kind in (*_READ, *_IGNORED)
        }
        self._unserved = UnservedResources()
        self._sort(resources)
        self._of_kind[sites.KIND] = self._unserved.split_sites(self._of_kind[sites.KIND])
        self._identities = [identities.read(r) for r in self._of_kind[identities.KIND]]
        known = {normal(identity.resource_id): identity for identity in self._identities}
        self._attached = [identities.attached(r, known) for r in self._of_kind[sites.KIND]]
        self._on_machines = [identities.attached(r, known) for r in self._of_kind[machines.KIND]]
        self._tenant_id = self._tenant()
        self._references = self._refer()
        self._of_kind[access.ASSIGNMENT_KIND] = self._named(self._of_kind[access.ASSIGNMENT_KIND])
        self._custom = {
            role_name(role.definition.resource_id): role
            for role in map(access.read_definition, self._of_kind[access.DEFINITION_KIND])
        }

    def deployment(self) -> Deployment:
        """Read the rest and put it together."""
        assignments = tuple(
            access.read_assignment(r, self._custom, self._references)
            for r in self._of_kind[access.ASSIGNMENT_KIND]
        )
        assigned = {role_name(a.role_definition_id) for a in assignments}
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
            tuple(r.id for kind in (*_IGNORED, *access_rules.KINDS) for r in self._of_kind[kind]),
            tuple(identities.operators(self._outputs.body("operators"))),
            self._machines(),
            self._unserved.ids,
            self._unserved.identities(),
            tuple(sorted(assigned - set(BUILT_IN) - set(self._custom))),
        )

    def _sort(self, resources: list[SnapshotResource]) -> None:
        kinds = {kind.lower(): kind for kind in self._of_kind}
        seen: set[str] = set()
        for resource in resources:
            kind = kinds.get(resource.type.lower())
            if resource.computed is None:
                if normal(resource.id) in seen:
                    raise resource.found_at.error("is in the snapshot twice")
                seen.add(normal(resource.id))
            elif kind != access.ASSIGNMENT_KIND:
                raise (resource.found_at / "id").error("must be a literal, not an expression")
            if kind is None:
                self._unserved.add(resource)
            else:
                self._of_kind[kind].append(resource)

    def _named(self, assignments: list[SnapshotResource]) -> list[SnapshotResource]:
        """Return the assignments with their ids, which may be made of a principal's."""
        named: dict[str, SnapshotResource] = {}
        for resource in assignments:
            if resource.computed is not None:
                found = self._references.computed(resource.computed, resource.found_at / "id")
                resource = replace(resource, id=found)  # noqa: PLW2901
            if normal(resource.id) in named:
                raise resource.found_at.error("is in the snapshot twice")
            named[normal(resource.id)] = resource
        return list(named.values())

    def _tenant(self) -> str:
        tenants = {vaults.tenant(r): r for r in self._of_kind[vaults.KIND]}
        if len(tenants) > 1:
            raise self._location.error("its vaults are in different tenants")
        return next(iter(tenants), _NO_TENANT)

    def _refer(self) -> References:
        references = References(self._tenant_id)
        for identity in self._identities:
            references.add_identity(identity)
        for site, attached in zip(self._of_kind[sites.KIND], self._attached, strict=True):
            references.add_app(site.id, attached)
        for machine, attached in zip(self._of_kind[machines.KIND], self._on_machines, strict=True):
            references.add_app(machine.id, attached)
        self._unserved.refer(references)
        for kind, paths in (
            (vaults.KIND, VAULT_PATHS),
            (vaults.KEY_KIND, KEY_PATHS),
            (vaults.SECRET_KIND, SECRET_PATHS),
        ):
            for resource in self._of_kind[kind]:
                references.add_later(resource.id, paths)
        for component in self._of_kind[telemetry.KIND]:
            references.add(component.id, *telemetry.CONNECTION)
        return references

    def _vaults(self) -> tuple[VaultSpec, ...]:
        self._check_parents(vaults.KIND, vaults.KEY_KIND, vaults.SECRET_KIND)
        keys = [vaults.read_key(r) for r in self._of_kind[vaults.KEY_KIND]]
        once = {normal(resource_id) for resource_id in self._outputs.texts(MADE_ONCE)}
        secrets = [
            replace(vaults.read_secret(r), made_once=normal(r.id) in once)
            for r in self._of_kind[vaults.SECRET_KIND]
        ]
        return tuple(
            vaults.read(r, self._tenant_id, keys, secrets, self._references)
            for r in self._of_kind[vaults.KIND]
        )

    def _namespaces(self) -> tuple[NamespaceSpec, ...]:
        bus = service_bus
        self._check_parents(bus.KIND, bus.QUEUE_KIND, bus.TOPIC_KIND)
        self._check_parents(bus.TOPIC_KIND, bus.SUBSCRIPTION_KIND)
        self._check_parents(bus.SUBSCRIPTION_KIND, bus.RULE_KIND)
        namespaces = self._of_kind[service_bus.KIND]
        tiers = {normal(r.id): service_bus.tier(r) for r in namespaces}
        queues = [
            service_bus.read_queue(r, tiers[normal(parent(r.id))])
            for r in self._of_kind[service_bus.QUEUE_KIND]
        ]
        topics = [
            bus.read_topic(r, tiers[normal(parent(r.id))]) for r in self._of_kind[bus.TOPIC_KIND]
        ]
        rules = [bus.read_rule(r) for r in self._of_kind[bus.RULE_KIND]]
        subscriptions = [
            bus.read_subscription(r, rules) for r in self._of_kind[bus.SUBSCRIPTION_KIND]
        ]
        found = tuple(
            bus.read(r, tiers[normal(r.id)], queues, topics, subscriptions) for r in namespaces
        )
        for kind in access_rules.KINDS:
            self._check_parents(kind.rpartition("/")[0], kind)
            for rule in self._of_kind[kind]:
                access_rules.check(rule, found)
        return found

    def _apps(self) -> tuple[AppSpec, ...]:
        apps: dict[str, AppSpec] = {}
        for site, attached in zip(self._of_kind[sites.KIND], self._attached, strict=True):
            app = sites.read(site, attached, self._references)
            if app.app in apps:
                raise site.found_at.error(f"its RELAY_APP is that of {apps[app.app].name}")
            apps[app.app] = app
        return tuple(apps.values())

    def _machines(self) -> tuple[MachineSpec, ...]:
        self._check_parents(machines.KIND, machines.COMMAND_KIND)
        commands = self._of_kind[machines.COMMAND_KIND]
        found: dict[str, MachineSpec] = {}
        for resource, attached in zip(self._of_kind[machines.KIND], self._on_machines, strict=True):
            machine = machines.read(resource, attached, commands, self._references)
            if machine.name in found:
                raise resource.found_at.error(f"its host name {machine.name} is another machine's")
            found[machine.name] = machine
        return tuple(found.values())

    def _check_parents(self, kind: str, *children: str) -> None:
        parents = {normal(resource.id) for resource in self._of_kind[kind]}
        for child in (resource for name in children for resource in self._of_kind[name]):
            if normal(parent(child.id)) not in parents:
                raise child.found_at.error("belongs to a resource that is not deployed with it")

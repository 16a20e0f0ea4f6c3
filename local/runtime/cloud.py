"""The local cloud: a deployment's services in this process, and its apps each in their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from local.authorization.audit_log import DEFAULT_SIZE, AuditLog
from local.authorization.authorization import Authorization
from local.authorization.names import Names
from local.deployment.resources import Deployment, NamespaceSpec
from local.faults.faults import Faults
from local.identity.tokens import TokenIssuer
from local.net.folder import Folder
from local.runtime.apps import AppProcess
from local.runtime.bus import RunningBus, start_administration, start_bus
from local.runtime.changes import beyond_permissions
from local.runtime.context import ServiceContext
from local.runtime.database import database_url
from local.runtime.endpoints import Endpoints
from local.runtime.events import CloudEvents
from local.runtime.identity import (
    Caller,
    identity_keys,
    new_callers,
    replace_callers,
    start_identity,
)
from local.runtime.machines import RunningMachine, start_machines
from local.runtime.partner import RunningPartner, start_partner
from local.runtime.ports import Ports
from local.runtime.programs import (
    AppEnvironment,
    make_apps,
    operator_environments,
    program_environments,
    start_apps,
)
from local.runtime.redeployment import Redeployment
from local.runtime.vaults import (
    RunningVault,
    deploy_secrets,
    newest_value,
    start_vaults,
    urls_by_id,
)
from shared.ledger.errors import LedgerError

_PARTNER = "partner-connection"
_DATABASE = "database-connection"
OWN_SECRETS = frozenset({_PARTNER, _DATABASE})
"""The secrets whose values the local cloud makes, since what they name is its own."""
_NO_NAMESPACE = NamespaceSpec(
    "/none", "none", "none.servicebus.windows.net", "Standard", local_auth=False, queues=()
)


class UnsupportedDeploymentError(Exception):
    """The deployment, or a change of it, is more than the local cloud supports."""


@dataclass(frozen=True)
class CloudOptions:
    """What may be different about a cloud, beside its deployment.

    `database` is the URL of another database than a file in the folder; `audit_size` how many
    decisions are kept. With `free_ports` a new folder's cloud leaves the usual ports to others.
    Without `keys` the apps require no access key. `round_trip`: the seconds that vaults, bus and
    database seem to be away. `settings` replace the deployment's in each app that has them. The
    apps in `without` are not started: another host runs them. With `connection_strings` the bus is
    served without TLS, too, to the keys of identities.
    """

    log_level: str | None = None
    database: str | None = None
    audit_size: int = DEFAULT_SIZE
    free_ports: bool = False
    keys: bool = True
    round_trip: float = 0.0
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    without: frozenset[str] = frozenset()
    connection_strings: bool = False


@dataclass
class Cloud:
    """A cloud that is up. All but `deployment` is made once, by `start_cloud`."""

    deployment: Deployment
    context: ServiceContext
    callers: dict[str, Caller] = field(repr=False)
    vaults: Mapping[str, RunningVault]
    machines: Mapping[str, RunningMachine]
    bus: RunningBus
    partner: RunningPartner
    apps: Mapping[str, AppProcess]
    operators: Mapping[str, Mapping[str, str]] = field(repr=False)
    programs: Mapping[str, Mapping[str, str]] = field(repr=False)
    endpoints: Endpoints

    def replace(self, deployment: Deployment) -> None:
        """Let another deployment take effect at once: its roles, its policies, who is attached.

        All else must be the same. Tokens live on until they expire, as in Azure.
        """
        if others := beyond_permissions(self.deployment, deployment):
            raise UnsupportedDeploymentError(
                f"this deployment changes more than rights and attachments ({', '.join(others)}): "
                "stop, then start"
            )
        self.deployment = deployment
        self.context.authorization.replace(deployment)
        self.context.audit_log.names = Names(deployment)
        replace_callers(self.callers, deployment)
        for machine in deployment.machines:
            self.machines[machine.name].spec = machine

    @property
    def partner_kind(self) -> str:
        """What the secret `partner-connection` says that the partner is; empty for nothing."""
        try:
            document: object = json.loads(newest_value(self.vaults, _PARTNER) or "")
        except ValueError:
            return ""
        return str(document.get("kind", "")) if isinstance(document, dict) else ""

    @property
    def database_url(self) -> str | None:
        """What the secret `database-connection` holds now, None where there is none."""
        return newest_value(self.vaults, _DATABASE)


async def start_cloud(
    stack: AsyncExitStack,
    redeployment: Redeployment,
    folder: Folder,
    on_event: Callable[[str], None],
    options: CloudOptions,
) -> Cloud:
    """Start the services, then the apps; the end of the stack stops them in the opposite order.

    `on_event` gets a line for each event that a user should see. Raises
    `UnsupportedDeploymentError`, and `AppFailedError` where an app does not come up.
    """
    deployment = redeployment.deployment
    _check_apps(deployment, options.without)
    namespace = _only_namespace(deployment)
    context = _context(deployment, folder, on_event, options)
    callers = new_callers(deployment)
    identity = await start_identity(stack, context, callers)
    vaults = await start_vaults(stack, context, deployment.vaults)
    machines = await start_machines(stack, context, deployment.machines, urls_by_id(vaults))
    bus_keys = identity_keys(deployment, folder) if options.connection_strings else None
    try:
        bus = await start_bus(stack, context, namespace, bus_keys)
    except ValueError as error:
        raise UnsupportedDeploymentError(f"the bus of the deployment: {error}") from None
    partner = await start_partner(stack, context)
    ledger = await database_url(stack, context, options.database)
    values = {
        _PARTNER: partner.secrets()["webhook"],
        _DATABASE: ledger,
    }
    deploy_secrets(context, vaults, values, redeployment.rewritten)
    await _migrate(newest_value(vaults, _DATABASE))
    environment = AppEnvironment(f"{identity}/msi/token", context.ca_file, bus.url)
    apps = make_apps(
        *(stack, context, callers, vaults, environment),
        log_level=options.log_level,
        keys=options.keys,
        given=options.settings,
        without=options.without,
    )
    operators = operator_environments(context, callers, vaults, bus, environment)
    programs = program_environments(callers, environment)
    endpoints = Endpoints(
        identity=identity,
        machines={name: machine.url for name, machine in machines.items()},
        vaults={name: vault.url for name, vault in vaults.items()},
        bus=bus.url,
        administration=await start_administration(stack, context, bus),
        partner=partner.url,
        partner_bus=partner.bus_url,
        ca=context.ca_file,
        apps=await start_apps(stack, apps, options.without),
        bus_plain=bus.keyed.url if bus.keyed else None,
    )
    return Cloud(
        *(deployment, context, callers, vaults, machines, bus, partner, apps),
        *(operators, programs, endpoints),
    )


def _context(
    deployment: Deployment, folder: Folder, on_event: Callable[[str], None], options: CloudOptions
) -> ServiceContext:
    ca_file, tls = folder.certify(namespace.host for namespace in deployment.namespaces)
    events = CloudEvents()
    return ServiceContext(
        folder=folder,
        ports=Ports(folder, free_at_first=options.free_ports),
        ca_file=ca_file,
        tls=tls,
        issuer=TokenIssuer(deployment.tenant_id),
        authorization=Authorization(deployment),
        audit_log=AuditLog(Names(deployment), options.audit_size, events.publish),
        faults=Faults(),
        on_event=on_event,
        round_trip=options.round_trip,
        events=events,
    )


def _check_apps(deployment: Deployment, without: frozenset[str]) -> None:
    apps = [app.app for app in deployment.apps]
    if unknown := without.difference(apps):
        raise UnsupportedDeploymentError(
            f"there is no app {min(unknown)!r} to leave out; the apps are: {', '.join(apps)}"
        )


def _only_namespace(deployment: Deployment) -> NamespaceSpec:
    if not deployment.namespaces:
        return _NO_NAMESPACE  # a bus without queues, on which nobody has a right
    if len(deployment.namespaces) > 1:
        raise UnsupportedDeploymentError(
            f"the deployment has {len(deployment.namespaces)} Service Bus namespaces; "
            "the local cloud runs one at most"
        )
    return deployment.namespaces[0]


async def _migrate(database_url: str | None) -> None:
    """Migrate the ledger, which in Azure is a step of the deployment."""
    if database_url is not None:
        # Alembic and SQLAlchemy are a third of what a command would import, and needed here alone.
        from migrations import upgrading

        try:
            await upgrading(database_url)
        except (LedgerError, ValueError) as error:
            raise UnsupportedDeploymentError(f"the ledger is not available: {error}") from None

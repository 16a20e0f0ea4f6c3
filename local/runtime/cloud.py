"""The local cloud: a deployment's services in this process, and its apps each in their own."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from local.authorization.audit_log import AuditLog
from local.authorization.authorization import Authorization
from local.authorization.names import Names
from local.bus.broker.journal import Journal
from local.bus.security.access import IdentityAccess
from local.bus.server.server import MAX_CONNECTIONS, BusServer
from local.deployment.deployment import settings_of
from local.deployment.resources import (
    AppSpec,
    Deployment,
    MachineSpec,
    NamespaceSpec,
    Operator,
    SecretSpec,
    VaultSpec,
)
from local.faults.faults import Faults
from local.host.keys import AppKeys
from local.identity.endpoint import Caller, token_endpoint
from local.identity.imds import imds_endpoint
from local.identity.tokens import TokenIssuer
from local.key_vault.deployed_secrets import to_write
from local.key_vault.store import VaultStore
from local.key_vault.vault import vault_app
from local.net.bearer import new_key
from local.net.folder import PARTNER_KEY_FILE, Folder, app_keys_file
from local.net.loopback import LOOPBACK, listen
from local.net.serving import serve
from local.partner.inbox import PartnerInbox
from local.partner.webhook import PartnerWebhook, partner_app
from local.runtime.apps import AppEnvironment, AppProcess, new_header
from local.runtime.bus_audit import BusAudit
from local.runtime.fault_middleware import (
    identity_faults,
    imds_faults,
    partner_faults,
    vault_faults,
)
from local.runtime.machines import RunningMachine
from local.runtime.operators import objects_of
from local.runtime.operators import settings_of as settings_of_operator
from local.runtime.ports import Ports
from migrations import upgrading
from shared.ledger.errors import LedgerError

_PORTS = {"sender": 7071, "receiver": 7072, "tracker": 7073}
_IDENTITY_PORT = 7080
_FIRST_MACHINE_PORT = 7081
_PARTNER_PORT = 7090
_PARTNER_BUS_PORT = 5672
_BUS_PORT = 5671
_FIRST_VAULT_PORT = 8441
_DATABASE = "database-connection"
_Attached = TypeVar("_Attached", AppSpec, MachineSpec)


class UnsupportedDeploymentError(Exception):
    """The deployment, or a change of it, is more than the local cloud can do."""


@dataclass
class RunningVault:
    """A vault that is served at `url`, which ends with a slash."""

    spec: VaultSpec
    store: VaultStore
    url: str


@dataclass
class Cloud:
    """All of it, up between `async with` and its end; `on_event` gets a line for each event.

    `rewritten`: ids, in small letters, of the secrets that the deployment makes a new version of.
    """

    deployment: Deployment
    folder: Folder
    on_event: Callable[[str], None]
    log_level: str | None = None
    database: str | None = None
    free_ports: bool = False
    keys: bool = True
    partner: PartnerWebhook = field(default_factory=PartnerWebhook)
    inbox: PartnerInbox = field(default_factory=PartnerInbox)
    vaults: dict[str, RunningVault] = field(default_factory=dict)
    apps: dict[str, AppProcess] = field(default_factory=dict)
    machines: dict[str, RunningMachine] = field(default_factory=dict)
    operators: dict[str, Mapping[str, str]] = field(default_factory=dict)
    endpoints: dict[str, object] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    audit_log: AuditLog = field(default_factory=AuditLog)
    rewritten: frozenset[str] = frozenset()

    async def __aenter__(self) -> Cloud:
        """Start the services, then the apps; nothing is left running if something fails."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the apps, then the services."""
        await self._stack.__aexit__(kind, error, trace)

    def replace(self, deployment: Deployment) -> None:
        """Let another deployment take effect at once: its roles, its policies, who is attached.

        All else must be the same. Tokens live on until they expire, as in Azure.
        """
        was, becomes = _without_permissions(self.deployment), _without_permissions(deployment)
        if others := [one.name for one in fields(was) if _differ(was, becomes, one.name)]:
            raise UnsupportedDeploymentError(
                f"this deployment changes more than rights and attachments ({', '.join(others)}): "
                "stop, then start"
            )
        self.deployment = deployment
        self.authorization.replace(deployment)
        self.audit_log.names = Names(deployment)
        for header, caller in self._callers.items():
            self._callers[header] = _caller_named(deployment, caller.name)
        for machine in deployment.machines:
            self.machines[machine.name].spec = machine

    async def stop_bus(self) -> None:
        """Take the bus away, as an outage does: connections end, messages stay in their file."""
        await self.bus.close()
        self._journal.close()

    async def start_bus(self) -> None:
        """Bring the bus back where it was, with what its file holds; locks are lost."""
        self._open_bus()
        await self._let_in_to_bus()

    async def _let_in_to_bus(self) -> None:
        await self.bus.listen_on(listen(self._bus_port, MAX_CONNECTIONS, reserved=True), self._tls)

    async def _start(self, stack: AsyncExitStack) -> None:
        self._namespace = _only_namespace(self.deployment)
        ca_file, tls = self.folder.certify()
        self._tls = tls
        self.ports = Ports(self.folder, free_at_first=self.free_ports)
        self.issuer = TokenIssuer(self.deployment.tenant_id)
        self.authorization = Authorization(self.deployment)
        self.audit_log.names = Names(self.deployment)
        callers: tuple[Caller, ...] = (*self.deployment.apps, *self.deployment.operators)
        self._callers = {new_header(): caller for caller in callers}
        await self._start_identity(stack)
        await self._start_machines(stack)
        await self._start_vaults(stack, tls)
        await self._start_bus(stack)
        await self._start_partner(stack, tls)
        self._fill_secrets()
        await self._make_ledger()
        self.endpoints["ca"] = str(ca_file)
        await self._start_apps(stack)

    async def _start_identity(self, stack: AsyncExitStack) -> None:
        app = token_endpoint(self.issuer, self._callers, self.audit_log)
        app.middlewares.append(identity_faults(self.faults))
        self.endpoints["identity"] = await serve(
            stack, app, self.ports.bind("identity", _IDENTITY_PORT)
        )

    async def _start_machines(self, stack: AsyncExitStack) -> None:
        for position, spec in enumerate(self.deployment.machines):
            machine = RunningMachine(spec)
            app = imds_endpoint(self.issuer, machine.caller, self.audit_log)
            app.middlewares.append(imds_faults(self.faults))
            name = f"machine {spec.name}"
            listening = self.ports.bind(name, _FIRST_MACHINE_PORT + position)
            machine.url = await serve(stack, app, listening)
            self.machines[spec.name] = machine
        if self.machines:
            urls = {name: machine.url for name, machine in self.machines.items()}
            self.endpoints["machines"] = urls

    def environment_of_machine(self, name: str) -> Mapping[str, str]:
        """Return what makes any program one of that machine."""
        uris = {vault.spec.resource_id: vault.url for vault in self.vaults.values()}
        return self.machines[name].environment(uris, Path(str(self.endpoints["ca"])))

    async def _start_vaults(self, stack: AsyncExitStack, tls: ssl.SSLContext) -> None:
        folder = self.folder.subfolder("vaults")
        for position, spec in enumerate(self.deployment.vaults):
            listening = self._bind_vault(spec.name, _FIRST_VAULT_PORT + position)
            url = f"https://{LOOPBACK}:{listening.getsockname()[1]}/"
            store = VaultStore(folder / spec.name, spec)
            app = vault_app(spec, store, self.issuer, self.authorization, url, self.audit_log)
            app.middlewares.append(vault_faults(self.faults, spec.name))
            await serve(stack, app, listening, tls)
            self.vaults[spec.name] = RunningVault(spec, store, url)
        self.endpoints["vaults"] = {name: vault.url for name, vault in self.vaults.items()}

    def _bind_vault(self, vault: str, usual: int) -> socket.socket:
        name = f"vault {vault}"
        listening = self.ports.bind(name, usual)
        if self.ports.has_moved(name, listening.getsockname()[1]):
            self.on_event(
                f"warning: port {self.ports.of(name, usual)} of vault {vault} is taken. What was "
                "sealed there before cannot be opened: stop, free the port, start again."
            )
        return listening

    async def _start_bus(self, stack: AsyncExitStack) -> None:
        # No other program may be there while it is away.
        self._bus_port = self._reserve(stack, "bus", _BUS_PORT)
        self._open_bus()
        stack.push_async_callback(self.stop_bus)
        await self._let_in_to_bus()
        self.endpoints["bus"] = f"sb://{LOOPBACK}:{self._bus_port}"

    def _open_bus(self) -> None:
        access = IdentityAccess(self._namespace, self.issuer, self.authorization)
        record = BusAudit(self._namespace, self.authorization, self.audit_log)
        journal = Journal(self.folder.subfolder("bus") / "journal.sqlite3")
        try:
            self.bus = BusServer(self._namespace, access, journal=journal, audit=record)
        except BaseException:
            journal.close()
            raise
        self._journal = journal

    async def _start_partner(self, stack: AsyncExitStack, tls: ssl.SSLContext) -> None:
        key_file = self.folder.kept(PARTNER_KEY_FILE, new_key)
        app = partner_app(self.partner, key_file.read_text())
        app.middlewares.append(partner_faults(self.faults))
        url = await serve(stack, app, self.ports.bind("partner", _PARTNER_PORT), tls)
        self.endpoints["partner"] = url
        stack.push_async_callback(self.inbox.bus.close)
        listening = self.ports.bind("partner_bus", _PARTNER_BUS_PORT, MAX_CONNECTIONS)
        port = await self.inbox.bus.listen_on(listening)
        self.endpoints["partner_bus"] = f"sb://{LOOPBACK}:{port}"

    def partner_secrets(self) -> Mapping[str, str]:
        """Write the partner's secret in each kind, by the name of the kind."""
        return {
            "webhook": partner_connection(self.partner, str(self.endpoints["partner"])),
            "servicebus": self.inbox.secret(str(self.endpoints["partner_bus"])),
        }

    def _fill_secrets(self) -> None:
        """Deploy the secrets: those that Relay knows with their value, others with a random one."""
        file = self.folder.path / "database.sqlite3"
        known = {
            "partner-connection": self.partner_secrets()["webhook"],
            _DATABASE: self.database or f"sqlite+aiosqlite:///{file}",
        }
        for vault in self.vaults.values():
            for spec in vault.spec.secrets:
                self._fill_secret(vault.store, spec, known.get(spec.name))

    def _fill_secret(self, store: VaultStore, spec: SecretSpec, known: str | None) -> None:
        newest = store.newest_secret(spec.name)
        changed = spec.resource_id.lower() in self.rewritten
        value = to_write(spec, newest, known, changed=changed)
        if value is None:
            return
        store.set_secret(spec.name, value, deployed=True)
        if newest and not newest.deployed and newest.value != value:
            self.on_event(
                f"note: secret {spec.name} was set by hand, and each deployment writes it: it has "
                "the deployment's value again."
            )

    @property
    def database_url(self) -> str | None:
        """What the secret `database-connection` holds now, where there is one."""
        for vault in self.vaults.values():
            if _DATABASE in vault.store.secret_names():
                return vault.store.secret(_DATABASE).value
        return None

    async def _make_ledger(self) -> None:
        """Do what is a step of the deployment in Azure."""
        if self.database_url:
            try:
                await upgrading(self.database_url)
            except (LedgerError, ValueError) as error:
                raise UnsupportedDeploymentError(f"there is no ledger available: {error}") from None

    async def _start_apps(self, stack: AsyncExitStack) -> None:
        urls = {vault.spec.resource_id: vault.url for vault in self.vaults.values()}
        ports = {}
        for spec in self.deployment.apps:
            ports[spec.app] = self._reserve(stack, spec.app, _PORTS.get(spec.app, 0))
            urls[spec.resource_id] = f"http://{LOOPBACK}:{ports[spec.app]}"
        for header, caller in self._callers.items():
            if isinstance(caller, AppSpec):
                self.apps[caller.app] = self._make_app(caller, header, ports[caller.app], urls)
            elif isinstance(caller, Operator):
                self.operators[caller.name] = self._environment_of(caller, header)
        stack.push_async_callback(self._stop_apps)
        starting = (app.start() for app in self.apps.values())
        for outcome in await asyncio.gather(*starting, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        for name, app in self.apps.items():
            self.endpoints[name] = app.url

    def _reserve(self, stack: AsyncExitStack, name: str, usual: int) -> int:
        kept = stack.enter_context(self.ports.reserve(name, usual))
        return int(kept.getsockname()[1])

    async def _stop_apps(self) -> None:
        await asyncio.gather(*(app.stop() for app in self.apps.values()))

    def _make_app(
        self, spec: AppSpec, header: str, port: int, urls: Mapping[str, str]
    ) -> AppProcess:
        settings = settings_of(spec, urls, self.deployment.apps)
        log = self.folder.subfolder("logs") / f"{spec.app}.log"
        log.unlink(missing_ok=True)
        return AppProcess(
            spec=spec,
            environment={**settings, **self._surroundings().environment(header)},
            log=log,
            log_level=self.log_level,
            port=port,
            on_event=self.on_event,
            keys=self._keys_of(spec.app) if self.keys else None,
        )

    def _keys_of(self, app: str) -> Path:
        return self.folder.kept(app_keys_file(app), AppKeys.fresh().text)

    def _environment_of(self, operator: Operator, header: str) -> Mapping[str, str]:
        access = IdentityAccess(self._namespace, self.issuer, self.authorization)
        vaults = {f"{vault.url.rstrip('/')}/": vault.spec for vault in self.vaults.values()}
        settings = {
            **settings_of_operator(operator, self._namespace, access),
            **objects_of(operator, vaults, self.authorization),
        }
        return {**settings, **self._surroundings().environment(header)}

    def _surroundings(self) -> AppEnvironment:
        return AppEnvironment(
            token_url=f"{self.endpoints['identity']}/msi/token",
            ca_file=Path(str(self.endpoints["ca"])),
            bus_url=str(self.endpoints["bus"]),
        )


def partner_connection(partner: PartnerWebhook, url: str) -> str:
    """Write the partner's secret as Relay reads it: where it is and what to sign with."""
    texts = [secret.text for secret in partner.secrets]
    return json.dumps({"kind": "webhook", "url": f"{url}/messages", "secrets": texts})


def _only_namespace(deployment: Deployment) -> NamespaceSpec:
    if len(deployment.namespaces) != 1:
        raise UnsupportedDeploymentError(
            f"the deployment has {len(deployment.namespaces)} Service Bus namespaces; "
            "the local cloud runs exactly one"
        )
    return deployment.namespaces[0]


def _without_permissions(deployment: Deployment) -> Deployment:
    """Leave out of a deployment who may do what: its roles, its policies, who is attached."""
    return replace(
        deployment,
        vaults=tuple(replace(one, uses_rbac=True, policies=()) for one in deployment.vaults),
        apps=tuple(_attached_to_nobody(one) for one in deployment.apps),
        machines=tuple(_attached_to_nobody(one) for one in deployment.machines),
        role_definitions=(),
        role_assignments=(),
        ignored=(),
    )


def _attached_to_nobody(spec: _Attached) -> _Attached:
    return replace(spec, identities=(), system_identity=None)


def _differ(one: Deployment, other: Deployment, name: str) -> bool:
    return bool(getattr(one, name) != getattr(other, name))


def _caller_named(deployment: Deployment, name: str) -> Caller:
    callers: tuple[Caller, ...] = (*deployment.apps, *deployment.operators)
    return next(caller for caller in callers if caller.name == name)

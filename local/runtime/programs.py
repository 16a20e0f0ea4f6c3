"""The apps and operators of a deployment, each with the environment that makes it what it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from local.deployment.deployment import settings_of
from local.deployment.resources import AppSpec, Operator, Program
from local.host.keys import AppKeys
from local.known_names import did_you_mean
from local.net.folder import app_keys_file
from local.net.loopback import LOOPBACK
from local.net.trust import trust_variables
from local.runtime import operators
from local.runtime.apps import AppProcess
from local.runtime.bus import RunningBus
from local.runtime.context import ServiceContext
from local.runtime.identity import Callers
from local.runtime.vaults import RunningVault, urls_by_id
from shared.settings.settings import APPS, AppName, optional_names, required_names

# What makes an app itself: with another one's it would be another program, or none.
_OWN = frozenset({"RELAY_APP", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"})
_PORTS = {"sender": 7071, "receiver": 7072, "tracker": 7073}


class UnknownSettingError(Exception):
    """A setting was given that no app has; the text names one that is like it."""


@dataclass(frozen=True)
class AppEnvironment:
    """What each app, and each operator, is given beside its settings."""

    token_url: str
    ca_file: Path
    bus_url: str

    def variables(self, header: str) -> dict[str, str]:
        """Return the variables; `header` is the program's own IDENTITY_HEADER."""
        return {
            "IDENTITY_ENDPOINT": self.token_url,
            "IDENTITY_HEADER": header,
            "RELAY_CA_BUNDLE": str(self.ca_file),
            "RELAY_BUS_ENDPOINT": self.bus_url,
            "RELAY_VERIFY_CHALLENGE": "false",
        }


def make_apps(
    stack: AsyncExitStack,
    context: ServiceContext,
    callers: Callers,
    vaults: Mapping[str, RunningVault],
    environment: AppEnvironment,
    *,
    log_level: str | None,
    keys: bool,
    given: Mapping[str, str],
    without: frozenset[str] = frozenset(),
) -> Mapping[str, AppProcess]:
    """Make the process of each app, by its name, without starting it; its port is kept for it.

    Without `keys` the apps require no access key. `given`: settings instead of the deployment's,
    for each app that has them; `UnknownSettingError` where none has. The port of an app in
    `without` is left to the host that runs it.
    """
    headers = {one.app: header for header, one in callers.items() if isinstance(one, AppSpec)}
    specs = [one for one in callers.values() if isinstance(one, AppSpec)]
    ports = {
        spec.app: context.free_port(spec.app, _PORTS.get(spec.app, 0))
        if spec.app in without
        else context.reserve_port(stack, spec.app, _PORTS.get(spec.app, 0))
        for spec in specs
    }
    urls = urls_by_id(vaults)
    urls |= {spec.resource_id: f"http://{LOOPBACK}:{ports[spec.app]}" for spec in specs}
    settings = {spec.app: settings_of(spec, urls, specs) for spec in specs}
    instead = replaced(settings, given)
    return {
        spec.app: AppProcess(
            spec=spec,
            environment={
                **settings[spec.app],
                **environment.variables(headers[spec.app]),
                **instead[spec.app],
            },
            log=_new_log(context, spec.app),
            log_level=log_level,
            port=ports[spec.app],
            on_event=context.on_event,
            round_trip=context.round_trip,
            keys=_keys_file(context, spec.app) if keys else None,
        )
        for spec in specs
    }


def replaced(
    settings: Mapping[str, Mapping[str, str]], given: Mapping[str, str]
) -> Mapping[str, Mapping[str, str]]:
    """Return which of the given settings each app has. Raises `UnknownSettingError`.

    An app has what the deployment gives it, and what its code reads.
    """
    known = {app: _names(app) | set(deployed) for app, deployed in settings.items()}
    everything = set().union(*known.values()) - _OWN
    for name in given:
        if name not in everything:
            raise UnknownSettingError(
                f"{name} makes an app what it is, and cannot be set"
                if name in _OWN
                else f"no app has a setting {name} that can be set{did_you_mean(name, everything)}"
            )
    return {
        app: {name: value for name, value in given.items() if name in names}
        for app, names in known.items()
    }


def _names(app: str) -> set[str]:
    found: AppName | None = next((name for name in APPS if name == app), None)
    return set(required_names(found) | optional_names(found)) if found else set()


async def start_apps(
    stack: AsyncExitStack, apps: Mapping[str, AppProcess], without: frozenset[str] = frozenset()
) -> Mapping[str, str]:
    """Start all apps at once but those left out, until the stack ends; return the URLs of all.

    Raises `AppFailedError`.
    """
    stack.push_async_callback(_stop, apps)
    starting = (app.start() for name, app in apps.items() if name not in without)
    for outcome in await asyncio.gather(*starting, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
    return {name: app.url or f"http://{LOOPBACK}:{app.port}" for name, app in apps.items()}


def operator_environments(
    context: ServiceContext,
    callers: Callers,
    vaults: Mapping[str, RunningVault],
    bus: RunningBus,
    environment: AppEnvironment,
) -> Mapping[str, Mapping[str, str]]:
    """Return what makes any program an operator, for each operator by its name."""
    specs = {vault.url: vault.spec for vault in vaults.values()}
    return {
        one.name: {
            **operators.settings_of(one, bus.namespace, bus.access),
            **operators.objects_of(one, specs, context.authorization),
            **environment.variables(header),
        }
        for header, one in callers.items()
        if isinstance(one, Operator)
    }


def program_environments(
    callers: Callers, environment: AppEnvironment
) -> Mapping[str, Mapping[str, str]]:
    """Return what gives any program an identity, for each identity by its name."""
    return {
        one.name: {
            "IDENTITY_ENDPOINT": environment.token_url,
            "IDENTITY_HEADER": header,
            # What the SDKs' default credential selects; others have to be given it.
            **({} if one.is_system_assigned else {"AZURE_CLIENT_ID": one.identity.client_id}),
            **trust_variables(environment.ca_file),
        }
        for header, one in callers.items()
        if isinstance(one, Program)
    }


async def _stop(apps: Mapping[str, AppProcess]) -> None:
    await asyncio.gather(*(app.stop() for app in apps.values()))


def _new_log(context: ServiceContext, app: str) -> Path:
    log = context.folder.subfolder("logs") / f"{app}.log"
    log.unlink(missing_ok=True)
    return log


def _keys_file(context: ServiceContext, app: str) -> Path:
    return context.folder.kept(app_keys_file(app), AppKeys.fresh().text)

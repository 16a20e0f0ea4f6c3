"""The command `prove`: which apps it asks, by which keys, and as which operators it tries."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from azure.core.credentials_async import AsyncTokenCredential

from local.cli.output import notify, progress
from ops.access_audit import AskedApp, OperatorSession, prove
from ops.access_audit_options import MASTER_KEY, app_url
from ops.access_comparison import NoAnswerError
from ops.credentials import operator_credential
from ops.errors import LocalCloudError
from ops.namespace import NAMESPACE, namespace_in
from ops.target import TargetNotGivenError
from shared.access.declaration import FILE, Declaration, NotDeclaredError
from shared.access.probes import USER_AGENT
from shared.azure.network import ConnectionOptions
from shared.settings.environment import SettingsError, bus_settings

_IDENTITY = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")


@dataclass(frozen=True)
class _OperatorTarget:
    """An operator that can be probed: its tokens come from `variables`, else from az."""

    name: str
    namespace: str
    network: ConnectionOptions
    variables: Mapping[str, str] | None


@dataclass(frozen=True)
class _Deployment:
    apps: Sequence[AskedApp]
    operators: Sequence[_OperatorTarget]
    used: object = None


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Run it: 0 if all is as declared, 1 if it is not or not known to be, 2 if not understood."""
    try:
        declaration = Declaration.load(FILE)
        is_local = options.local or options.folder
        target = _local(options) if is_local else _in_azure(parser, options, declaration)
    except (TargetNotGivenError, SettingsError) as error:
        parser.error(str(error))
    except NotDeclaredError as error:
        notify(f"error: {error}")
        return 1
    try:
        return asyncio.run(_prove(declaration, target, json_only=options.json))
    except NoAnswerError as error:
        notify(f"error: {error}")
        return 1


async def _prove(declaration: Declaration, target: _Deployment, *, json_only: bool) -> int:
    async with AsyncExitStack() as stack:
        sessions = []
        for one in target.operators:
            credential = _credential(one)
            await stack.enter_async_context(credential)
            sessions.append(OperatorSession(one.name, credential, one.namespace, one.network))
        stack.enter_context(progress("still trying what each identity may do"))
        return await prove(declaration, target.apps, sessions, target.used, json_only=json_only)


def _credential(operator: _OperatorTarget) -> AsyncTokenCredential:
    if operator.variables is None:
        return operator_credential(is_local=False, user_agent=USER_AGENT)
    # The one place where the credential looks for them.
    os.environ.update({name: operator.variables[name] for name in _IDENTITY})
    return operator_credential(is_local=True, user_agent=USER_AGENT)


def _local(options: argparse.Namespace) -> _Deployment:
    # Only here: an operator of Azure needs nothing of the local cloud.
    from local.cli.client import Client, RequestRefusedError
    from local.net.folder import DEFAULT_FOLDER, NotUpError

    try:
        client = Client(options.folder or DEFAULT_FOLDER)
        status = client.control("GET", "/status")
        listed = status if isinstance(status, dict) else {}
        operators = [
            _OperatorTarget(
                name,
                environment[NAMESPACE],
                bus_settings(environment).network,
                environment,
            )
            for name in listed["operators"]
            for environment in [client.environment(name)]
        ]
        # A stopped app has no address; it is reported like any other that does not answer.
        apps = [
            AskedApp(name, client.url(name), keys.master if keys else None)
            for name in listed["apps"]
            for keys in [client.keys(name)]
        ]
        used = client.control("GET", "/grants/used") if options.used else None
    except (NotUpError, RequestRefusedError) as error:
        raise LocalCloudError(str(error)) from None
    return _Deployment(apps, operators, used)


def _in_azure(
    parser: argparse.ArgumentParser, options: argparse.Namespace, declaration: Declaration
) -> _Deployment:
    if options.used:
        parser.error("--used is for the local cloud; in Azure the audit logs have it")
    operators = []
    if options.operator:
        if options.operator not in declaration.operators:
            parser.error(f"access.json has no operator {options.operator}")
        namespace = options.namespace or namespace_in(os.environ)
        if not namespace:
            parser.error(f"--operator needs --namespace HOST, or {NAMESPACE}")
        network = bus_settings({**os.environ, NAMESPACE: namespace}).network
        operators = [_OperatorTarget(options.operator, namespace, network, None)]
    try:
        urls = {**dict(_from_azd(declaration)), **dict(options.app or ())}
    except argparse.ArgumentTypeError as error:
        parser.error(f"in the environment: {error}")
    if not urls:
        parser.error("no deployment given: --local, --folder, or --app for each app")
    return _Deployment([_with_key(parser, *one) for one in urls.items()], operators)


def _from_azd(declaration: Declaration) -> Iterator[tuple[str, str]]:
    for app in declaration.objects["app"]:
        if url := os.environ.get(f"{app.upper()}_URL"):
            yield app_url(f"{app}={url}")


def _with_key(parser: argparse.ArgumentParser, app: str, url: str) -> AskedApp:
    key = os.environ.get(MASTER_KEY + app.upper())
    if not key and not sys.stdin.isatty():
        parser.error(f"no terminal to ask for the master key of {app}: set {MASTER_KEY}...")
    # Typed without being shown, and never an argument, which every process list shows.
    return AskedApp(app, url, key or getpass.getpass(f"master key of {app}: "))

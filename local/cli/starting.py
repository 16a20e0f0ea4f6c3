"""The commands `up` and `demo`, which start a cloud. Imported where one of them is run."""

from __future__ import annotations

import argparse
import os
from collections.abc import Awaitable, Callable

from local.bus.broker.journal import JournalError
from local.cli.addresses import addresses, curl_commands
from local.cli.client import Client
from local.cli.demo import show_demo
from local.cli.output import notify
from local.cli.up import Start, run, until_stopped
from local.deployment.bicep import CompilationError
from local.deployment.secret_values import SecretValuesError
from local.deployment.snapshot import DeploymentError
from local.net.folder import FolderInUseError
from local.runtime.apps import AppFailedError
from local.runtime.cloud import Cloud, CloudOptions, UnsupportedDeploymentError
from local.runtime.ports import PortsError
from local.runtime.programs import UnknownSettingError
from local.runtime.redeployment import DeploymentRefusedError

_DATABASE = "RELAY_DATABASE_URL"  # of another database than the file in the folder
_ERRORS = (
    AppFailedError,
    CompilationError,
    DeploymentError,
    DeploymentRefusedError,
    FolderInUseError,
    JournalError,
    PortsError,
    SecretValuesError,
    UnknownSettingError,
    UnsupportedDeploymentError,
)


def start_and_stay(options: argparse.Namespace) -> int:
    """Start the cloud, print where everything is, and stay up until SIGINT or SIGTERM."""

    async def stay(cloud: Cloud) -> int:
        print(_watch(cloud))
        _introduce(cloud, options)
        print("ready", flush=True)
        return await until_stopped()

    return _run(options, stay)


def start_and_show(options: argparse.Namespace) -> int:
    """Start the cloud, send five messages and compare them; with `--stay`, stay up afterwards."""

    async def show(cloud: Cloud) -> int:
        if options.stay:
            print(_watch(cloud), flush=True)
        failed = await show_demo(cloud) != 0
        if not options.stay or failed:
            return 1 if failed else 0
        print()
        _introduce(cloud, options)
        print("Ctrl-C stops it.", flush=True)
        return await until_stopped()

    return _run(options, show)


def _watch(cloud: Cloud) -> str:
    page = Client(cloud.context.folder.path).page()
    return f"Watch it in a browser (the address holds its key):\n  {page}\n"


def _introduce(cloud: Cloud, options: argparse.Namespace) -> None:
    """Print what to do next, where everything is, and last what has no effect here."""
    client = Client(cloud.context.folder.path)
    if commands := curl_commands(client, options.folder, keys=not options.no_keys):
        print("Try it, in another terminal:", *commands, "", sep="\n")
    print(f"{addresses(client, cloud.deployment)}\n")


def _run(options: argparse.Namespace, during: Callable[[Cloud], Awaitable[int]]) -> int:
    try:
        return run(_start(options), during)
    except _ERRORS as error:
        notify(f"error: {error}")
        return 1


def _start(options: argparse.Namespace) -> Start:
    return Start(
        options.folder,
        options.source or options.snapshot,
        CloudOptions(
            log_level=options.log_level,
            database=os.environ.get(_DATABASE),
            audit_size=options.decisions,
            free_ports=options.free_ports,
            keys=not options.no_keys,
            round_trip=options.latency / 1000,
            settings=options.set,
            without=frozenset(options.without),
            connection_strings=options.connection_strings,
        ),
        options.secrets,
    )

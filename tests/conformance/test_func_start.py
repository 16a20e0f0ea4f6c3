"""What `func start` does beside the local cloud: its settings file, and its client of the bus.

The tools are not installed in CI, so a test plays their part: it reads the file as they do, and
`sbnet` is the .NET client that their host has.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import dotnet
from tests.pipeline.cloud_process import ROOT, Running, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a cloud whose apps are all left to the tools, so that nobody else takes messages."""
    folder = tmp_path_factory.mktemp("func") / "folder"
    left_out = [part for app in ("sender", "receiver", "tracker") for part in ("--without", app)]
    with running(folder, "local.snapshot.json", *left_out, "--connection-strings") as up:
        yield up


def _local(up: Running, *arguments: str) -> str:
    command = [sys.executable, "-m", "local", *arguments, "--folder", str(up.folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _settings(up: Running, app: str, folder: Path) -> Mapping[str, Any]:
    """Return the file that `python -m local settings` writes, read as the tools read it."""
    file = folder / "local.settings.json"
    assert _local(up, "settings", app, "--output", str(file)) == str(file)
    assert file.stat().st_mode & 0o777 == 0o600
    found: Mapping[str, Any] = json.loads(file.read_text())
    assert set(found) == {"IsEncrypted", "Values", "Host"}
    return found


def _trigger(up: Running, app: str, folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what the host's client has of an app's settings: its environment and its options."""
    values = _settings(up, app, folder)["Values"]
    taken = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "SSL_CERT_FILE")
    options = (
        *("--namespace", values["RELAY_BUS__fullyQualifiedNamespace"]),
        *("--client-id", values["RELAY_BUS__clientId"]),
        # The test's cloud leaves port 5671 to others.
        *("--endpoint", up.endpoints["bus"].replace("127.0.0.1", "localhost")),
    )
    return {name: values[name] for name in taken}, options


def test_an_app_that_is_left_out_does_not_run_and_its_port_is_free(
    cloud: Running, tmp_path: Path
) -> None:
    port = _settings(cloud, "receiver", tmp_path)["Host"]["LocalHttpPort"]
    assert cloud.endpoints["receiver"] == f"http://127.0.0.1:{port}"
    with socket.create_server(("127.0.0.1", port)):
        rows = [line.split() for line in _local(cloud, "status").splitlines()]
        assert ["receiver", "stopped"] in [row[:2] for row in rows]


def test_an_app_that_does_not_exist_cannot_be_left_out(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local", "up", "--free-ports", "--without", "reciever"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "folder")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no app 'reciever' to leave out; the apps are: " in done.stderr


@pytest.mark.conformance("Service Bus queues", "send, receive and complete", ".NET")
@pytest.mark.conformance("Service Bus queues", "renew the lock of a message", ".NET")
def test_the_hosts_client_receives_renews_and_settles_by_identity(
    cloud: Running, tmp_path: Path
) -> None:
    sender, receiver = tmp_path / "sender", tmp_path / "receiver"
    sender.mkdir()
    receiver.mkdir()
    environment, options = _trigger(cloud, "receiver", receiver)
    values = _settings(cloud, "sender", sender)["Values"]
    sending = {**environment, "IDENTITY_HEADER": values["IDENTITY_HEADER"]}
    by_sender = (*options[:3], values["RELAY_IDENTITY_SENDER_BUS"], *options[4:])
    code, found = dotnet.run(sending, "send", "messages", "5", *by_sender)
    assert code == 0, found
    process = ("process", "messages", "--until", "5", "--seconds", "60", "--renew", "60")
    code, found = dotnet.run(environment, *process, "--work", "500", *options)
    assert code == 0, found


@pytest.mark.conformance("Service Bus queues", "refused without a right", ".NET")
def test_the_hosts_client_is_refused_where_the_identity_has_no_right(
    cloud: Running, tmp_path: Path
) -> None:
    environment, options = _trigger(cloud, "receiver", tmp_path)
    code, found = dotnet.run(environment, "send", "messages", "1", *options)
    assert code == 1
    assert "Unauthorized" in json.dumps(found)


def test_a_connection_string_gives_just_the_rights_of_its_identity(cloud: Running) -> None:
    strings = {
        name: _local(cloud, "identity", f"{name}-local", "--connection-string")
        for name in ("sender_bus", "receiver_bus")
    }
    send = ("send", "messages", "1", "--connection-string")
    assert dotnet.run({}, *send, strings["sender_bus"])[0] == 0
    code, found = dotnet.run({}, *send, strings["receiver_bus"])
    assert code == 1
    assert "Unauthorized" in json.dumps(found)
    take = ("process", "messages", "--until", "1", "--seconds", "60", "--connection-string")
    assert dotnet.run({}, *take, strings["receiver_bus"])[0] == 0

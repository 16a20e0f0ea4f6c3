"""The commands, run as a user runs them, against a cloud that is up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from local.cli.addresses import curl_commands
from local.cli.client import Client, RequestRefusedError
from local.cli.demo import carry, samples
from tests.local_commands import local

ROOT = Path(__file__).parents[4]
PLANTED = "planted-by-the-parent"
ENDPOINTS = {
    *("sender", "receiver", "tracker", "partner", "identity"),
    *("partner_bus", "vaults", "bus", "administration", "ca", "control", "page"),
}


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the local cloud as a user does, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@contextmanager
def up(
    folder: Path, *options: str, errors: IO[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start a cloud and wait for its line `ready`."""
    environment = {**os.environ, "RELAY_MAX_PAYLOAD_BYTES": PLANTED, "SSL_CERT_FILE": PLANTED}
    environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "up", "--folder", str(folder), *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    assert process.stdout
    with process, process.stdout:
        try:
            lines = until_ready(process.stdout)
            assert lines[0].startswith("Watch it in a browser")
            assert lines[-1] == "ready\n"
            yield process
        finally:
            process.terminate()


def until_ready(output: IO[str]) -> list[str]:
    lines = []
    for line in output:
        lines.append(line)
        if line == "ready\n":
            break
    return lines


def app_processes(folder: Path) -> Mapping[int, Mapping[str, str]]:
    """Return the environment of each app process of a cloud, by process id."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            entries = path.read_bytes().decode().split("\0")
        except OSError:
            continue
        environment = dict(entry.split("=", 1) for entry in entries if "=" in entry)
        if environment.get("RELAY_CA_BUNDLE") == str(folder / "ca.pem"):
            found[int(path.parent.name)] = environment
    return found


def wait_until_gone(folder: Path) -> None:
    patience = time.monotonic() + 30
    while app_processes(folder):
        assert time.monotonic() < patience, "apps are left running"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("cli") / "cloud"
    with up(path):
        yield path


def test_the_endpoints_are_published(folder: Path) -> None:
    endpoints = json.loads((folder / "endpoints.json").read_text())
    assert endpoints.keys() == ENDPOINTS
    assert (folder / "endpoints.json").stat().st_mode & 0o777 == 0o600


def test_all_that_lies_in_the_folder_is_private(folder: Path) -> None:
    shared = [path for path in folder.rglob("*") if path.stat().st_mode & 0o077]
    assert shared == []


def test_a_second_one_in_the_same_folder_is_refused_and_the_first_one_lives(folder: Path) -> None:
    for command in ("up", "demo"):
        refused = process(command, "--folder", str(folder))
        assert refused.returncode == 1
        assert "already up" in refused.stderr
    assert process("status", "--folder", str(folder)).returncode == 0


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_nothing_of_the_parents_environment_is_in_an_app(folder: Path) -> None:
    apps = app_processes(folder)
    assert {environment["RELAY_APP"] for environment in apps.values()} == {
        *("sender", "receiver", "tracker")
    }
    assert len({environment["IDENTITY_HEADER"] for environment in apps.values()}) == 3
    for environment in apps.values():
        assert PLANTED not in environment.values()
        assert "SSL_CERT_FILE" not in environment


def test_a_message_is_sent_from_a_file_and_from_standard_input(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.json").write_text("{}")
    sent = local("send", str(tmp_path / "x.json"), "--folder", str(folder))
    piped = local("send", "-", "--content-type", "text/x", "--folder", str(folder), stdin="hi")
    assert (sent.returncode, piped.returncode) == (0, 0), sent.stderr + piped.stderr
    ids = [result.stdout.split()[1] for result in (sent, piped)]
    received = until_received(Client(folder), set(ids))
    assert [received[i]["content_type"] for i in ids] == ["application/json", "text/x"]


def until_received(client: Client, ids: set[str]) -> Mapping[str, Mapping[str, object]]:
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        found = {str(message["id"]): message for message in client.received()}
        if ids <= set(found):
            return found
        time.sleep(0.05)
    raise AssertionError("not received")


def test_what_the_sender_refuses_is_shown_with_its_reason(folder: Path) -> None:
    empty = local("send", "-", "--folder", str(folder), stdin="")
    assert empty.returncode == 1
    assert "the sender answered 400: the body is empty" in empty.stderr
    missing = local("send", "/no/such/file", "--folder", str(folder))
    assert missing.returncode == 1
    assert "No such file" in missing.stderr


def test_what_the_partner_received_is_shown_without_base64(folder: Path, tmp_path: Path) -> None:
    where = ("--folder", str(folder))
    sent = local("send", "-", "--content-type", "text/x", *where, stdin="hello\x1b there")
    message_id = sent.stdout.split()[1]
    until_received(Client(folder), {message_id})
    listed = local("received", *where)
    *_, row = (line for line in listed.stdout.splitlines() if " text/x " in line)
    assert row.split()[1] == message_id[:8]
    assert row.split()[2:5] == ["text/x", "12", "valid"]
    assert f" received {message_id[:8]} --folder {folder}" in listed.stdout
    shown = local("received", message_id[:8], *where).stdout
    assert shown.splitlines()[0].split() == ["id", message_id]
    assert shown.endswith("\nhello\\x1b there\n")
    output = tmp_path / "payload"
    assert local("received", message_id, "--output", str(output), *where).returncode == 0
    assert output.read_text() == "hello\x1b there"
    unknown = local("received", "no-such-id", *where)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "the partner has received no message 'no-such-id'" in unknown.stderr


def test_an_app_is_stopped_and_started_by_its_name(folder: Path) -> None:
    where = ("--folder", str(folder))
    for command, state in (("stop", "stopped"), ("start", "up"), ("restart", "up")):
        ended = local(command, "tracker", *where)
        assert (ended.returncode, ended.stdout) == (0, f"tracker is {state}\n"), ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("stop", "sendr"),
        ("restart", "sendr"),
        ("key", "sendr"),
        ("env", "sendr"),
        ("settings", "sendr"),
        ("logs", "sendr"),
    ],
)
def test_an_app_that_is_not_there_is_named_with_the_one_that_was_meant(
    folder: Path, arguments: Sequence[str]
) -> None:
    unknown = local(*arguments, "--folder", str(folder))
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "'sendr' here; did you mean sender? Known: " in unknown.stderr


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "ä", "a b", "%2e", "a?b", "a#b"])
@pytest.mark.parametrize("command", ["stop {}", "env {}", "identity {}", "fault grants {} off"])
def test_no_name_is_taken_for_a_part_of_a_path(folder: Path, command: str, name: str) -> None:
    words = [word.replace("{}", name) for word in command.split()]
    unknown = local(*words, "--folder", str(folder))
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert repr(name) in unknown.stderr
    assert "known: " in unknown.stderr or "is not a name" in unknown.stderr


def test_a_fault_that_is_wrong_is_named_as_it_was_typed(folder: Path) -> None:
    where = ("--folder", str(folder))
    wrong = local("fault", "set", "vault", "slow", "--seconds", "5", "--retry-after", "3", *where)
    assert wrong.stderr == "error: --retry-after is only for the answer status\n"
    wrong = local("fault", "tokens", "--seconds", "0", *where)
    assert wrong.stderr == "error: --seconds must be a whole number from 1 to 86400\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("local", "decisions", "--proof", "--json"),
        ("local", "status"),
        ("ops", "rejected"),
        ("ops", "rejected", "--json"),
        ("ops", "--help"),
    ],
)
def test_a_reader_that_has_seen_enough_is_no_error(folder: Path, arguments: Sequence[str]) -> None:
    where = () if "--help" in arguments else ("--folder", str(folder))
    many = subprocess.Popen(
        [sys.executable, "-m", *arguments, *where],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert many.stdout
    assert many.stderr
    with many:
        many.stdout.close()
        assert many.stderr.read() == ""
    assert many.returncode == 0


def test_a_frozen_cloud_is_waited_for_and_says_so(folder: Path) -> None:
    cloud = int((folder / "lock").read_text())
    os.kill(cloud, signal.SIGSTOP)
    try:
        asking = subprocess.Popen(
            [sys.executable, "-m", "local", "status", "--folder", str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert asking.stderr
        # Waits for the line itself.
        line = asking.stderr.readline()
    finally:
        os.kill(cloud, signal.SIGCONT)
    out, _ = asking.communicate(timeout=60)
    assert line.startswith("waiting for an answer of http://127.0.0.1:")
    assert asking.returncode == 0
    assert "receiver" in out


def test_the_environment_of_an_app_can_be_taken_over(folder: Path) -> None:
    printed = local("env", "sender", "--folder", str(folder))
    show = f"{printed.stdout}\nenv"
    taken = subprocess.run(["sh", "-c", show], env={}, capture_output=True, text=True, check=True)
    settings = json.loads(local("env", "sender", "--json", "--folder", str(folder)).stdout)
    assert settings["IsEncrypted"] is False
    values = settings["Values"]
    assert {"IDENTITY_HEADER", "IDENTITY_ENDPOINT", "RELAY_CA_BUNDLE", "RELAY_APP"} <= set(values)
    assert {f"{name}={value}" for name, value in values.items()} <= set(taken.stdout.splitlines())
    unknown = local("env", "other", "--folder", str(folder))
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "sender, receiver, tracker" in unknown.stderr


def test_the_environment_of_an_operator_can_be_taken_over(folder: Path) -> None:
    printed = local("env", "operator", "--json", "--folder", str(folder))
    values = json.loads(printed.stdout)["Values"]
    assert {name for name in values if name.startswith("RELAY_QUEUE_")} == {
        "RELAY_QUEUE_MESSAGES",
        "RELAY_QUEUE_RECEIPTS",
        "RELAY_QUEUE_REJECTED",
    }
    assert values["RELAY_BUS__fullyQualifiedNamespace"] == "relay-local.servicebus.windows.net"
    sender = json.loads(local("env", "sender", "--json", "--folder", str(folder)).stdout)["Values"]
    assert values["IDENTITY_HEADER"] != sender["IDENTITY_HEADER"]
    assert not any(name.startswith(("RELAY_IDENTITY_", "RELAY_SECRET_")) for name in values)


def test_the_status_shows_a_rotated_key(folder: Path) -> None:
    before = local("status", "--folder", str(folder)).stdout
    rotated = local("rotate", "payload", "--folder", str(folder))
    after = local("status", "--folder", str(folder)).stdout
    version = rotated.stdout.split()[-1]
    assert version not in before
    assert [line.split() for line in after.splitlines() if line.endswith(version)] == [
        ["payload-local/payload", "2", version]
    ]
    words = [line.split()[:2] for line in after.splitlines()]
    assert ["sender", "up"] in words
    assert ["queue", "active"] in words
    assert "messages at the partner: " in after
    wrong = local("rotate", "other", "--folder", str(folder))
    assert wrong.returncode == 1
    assert "payload-local/payload" in wrong.stderr


def test_a_key_is_printed_for_whoever_has_the_folder(folder: Path) -> None:
    def key(*arguments: str) -> str:
        printed = local("key", *arguments, "--folder", str(folder))
        assert printed.returncode == 0, printed.stderr
        return printed.stdout.strip()

    client = Client(folder)
    url = client.url("tracker")
    keys = {
        "host": key("tracker"),
        "master": key("tracker", "--master"),
        "function": key("tracker", "--function", "messages"),
    }
    assert len(set(keys.values())) == 3
    for name, path, status in (
        ("host", "/api/messages", 200),
        ("function", "/api/messages", 200),
        ("function", "/api/messages/x", 401),
        ("host", "/api/access", 401),
        ("master", "/admin/host/status", 200),
    ):
        answer = client.request("GET", url + path, None, {"x-functions-key": keys[name]})
        assert answer.status == status, (name, path)
    received = client.url("partner") + "/received"
    bearer = {"Authorization": f"Bearer {key('partner')}"}
    assert client.request("GET", received, None, bearer).status == 200
    assert client.request("GET", received).status == 401
    assert key("sender", "--function", "SEND") == key("sender", "--function", "send")


@pytest.mark.parametrize("function", ["status", "send ", "", "default"])
def test_a_function_that_is_not_there_has_no_key(folder: Path, function: str) -> None:
    refused = local("key", "sender", "--function", function, "--folder", str(folder))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "there is no function" in refused.stderr
    assert "send" in refused.stderr


def test_a_content_type_that_no_header_can_hold_is_refused(folder: Path) -> None:
    for content_type in ("text/x\r\nHost: x", "text/\u4f60"):
        refused = local(
            *("send", "-", "--content-type", content_type, "--folder", str(folder)), stdin="x"
        )
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("error: this cannot be sent: ")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_commands_that_are_shown_work_as_they_stand(folder: Path) -> None:
    post, received = curl_commands(Client(folder), folder, keys=True)
    for command, shown in ((post, "202 Accepted"), (received, " valid ")):
        ran = subprocess.run(
            ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert shown in ran.stdout, command


def test_without_keys_the_apps_ask_for_none(tmp_path: Path) -> None:
    path, terminal = tmp_path / "cloud", tmp_path / "terminal"
    quick = ("--set", "RELAY_RETRY_SCHEDULE=1s,1s,1s", "--set", "RELAY_MAX_PAYLOAD_BYTES=1000")
    with terminal.open("w") as file, up(path, "--no-keys", *quick, errors=file):
        client = Client(path)
        assert client.environment("receiver")["RELAY_RETRY_SCHEDULE"] == "1s,1s,1s"
        assert "RELAY_RETRY_SCHEDULE" not in client.environment("sender")
        assert client.environment("sender")["RELAY_MAX_PAYLOAD_BYTES"] == "1000"
        see_retries_and_a_crash_in_the_terminal(client, path, terminal)
        for name in ("/api/messages", "/api/access"):
            assert client.request("GET", client.url("tracker") + name).status == 200
        assert local("send", "-", "--folder", str(path), stdin="x").returncode == 0
        assert "--no-keys" in local("key", "sender", "--folder", str(path)).stderr
        assert "x-functions-key" not in "".join(curl_commands(client, path, keys=False))


def see_retries_and_a_crash_in_the_terminal(client: Client, folder: Path, terminal: Path) -> None:
    """What goes wrong in an app shows where the cloud was started, without asking for a log."""
    where = ("--folder", str(folder))
    assert local("fault", "set", "partner", "status", "503", "--times", "1", *where).returncode == 0
    sent = local("send", "-", *where, stdin="x").stdout.split()[1]
    until_received(client, {sent})
    until_shown(terminal, f" retry {sent} in 1 s: it answered 503")
    (tracker,) = (
        process
        for process, environment in app_processes(folder).items()
        if environment["RELAY_APP"] == "tracker" and is_host(process)
    )
    os.kill(tracker, signal.SIGKILL)
    until_shown(terminal, "app 'tracker' ended with code -9")
    assert local("restart", "tracker", *where).returncode == 0


def is_host(process: int) -> bool:
    return b"local.host\0" in Path(f"/proc/{process}/cmdline").read_bytes()


def until_shown(terminal: Path, text: str) -> None:
    patience = time.monotonic() + 60
    while text not in terminal.read_text():
        assert time.monotonic() < patience, terminal.read_text()
        time.sleep(0.05)


def test_the_live_page_is_where_its_command_says(folder: Path) -> None:
    client = Client(folder)
    assert local("page", "--folder", str(folder)).stdout == f"{client.page()}\n"
    bare, _, key = client.page().partition("#")
    assert client.request("GET", bare).status == 200
    assert client.request("POST", f"{bare}proof").status == 401
    body, headers = b'{"granted": true}', {"Authorization": f"Bearer {key}"}
    assert client.request("PUT", f"{bare}grants/decrypt", body, headers).status == 200
    assert client.request("PUT", f"{bare}grants/nobody", body, headers).status == 409
    # The key of the page gives no access to the control endpoint.
    status = client.request("GET", client.url("control") + "/status", None, headers)
    assert status.status == 401


def test_control_is_for_those_who_have_the_key(folder: Path) -> None:
    client = Client(folder)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer \u00e9"}):
        answer = client.request("GET", client.url("control") + "/status", headers=headers)
        assert answer.status == 401


def test_an_app_can_be_killed_and_comes_back_at_the_same_address(folder: Path) -> None:
    client = Client(folder)
    client.control("POST", "/apps/receiver/kill")
    status = client.control("GET", "/status")
    assert isinstance(status, dict)
    assert status["apps"]["receiver"]["state"] == "stopped"
    client.control("POST", "/apps/receiver/start")
    health = client.request("GET", client.url("receiver") + "/api/health")
    assert health.status == 200
    assert all(delivery.problem is None for delivery in carry(client, samples(1000)[:1]))


def test_another_deployment_takes_effect_while_it_runs(folder: Path) -> None:
    client = Client(folder)
    original = (ROOT / "infra" / "local.snapshot.json").read_bytes()
    snapshot = json.loads(original)
    kind = "Microsoft.Authorization/roleAssignments"
    kept = [r for r in snapshot["predictedResources"] if r["type"] != kind]
    client.control("PUT", "/deployment", body(snapshot | {"predictedResources": kept}))
    client.control("POST", "/apps/sender/restart")
    refused = local("send", "-", "--folder", str(folder), stdin="x")
    assert "the sender answered 503" in refused.stderr
    client.control("PUT", "/deployment", original)
    # The first call may still meet the link that was asked for without the right.
    again = [local("send", "-", "--folder", str(folder), stdin="x") for _ in range(2)]
    assert again[-1].returncode == 0


def test_an_identity_is_attached_and_detached_while_it_runs(folder: Path) -> None:
    client = Client(folder)
    original = (ROOT / "infra" / "local.snapshot.json").read_bytes()
    tracker, sender = client.environment("tracker"), client.environment("sender")
    client_id = sender["RELAY_IDENTITY_ENCRYPT"]
    url = f"{tracker['IDENTITY_ENDPOINT']}?api-version=2019-08-01&client_id={client_id}"

    def status() -> int:
        header = {"X-IDENTITY-HEADER": tracker["IDENTITY_HEADER"]}
        return client.request("GET", f"{url}&resource=https://vault.azure.net", None, header).status

    assert status() == 400
    snapshot = json.loads(original)
    by_id = {r["id"]: r for r in snapshot["predictedResources"]}
    (site,) = (r for i, r in by_id.items() if i.endswith("/sites/relay-tracker-local"))
    (encrypt,) = (i for i in by_id if i.endswith("/userAssignedIdentities/encrypt-local"))
    site["identity"]["userAssignedIdentities"][encrypt] = {}
    client.control("PUT", "/deployment", body(snapshot))
    assert status() == 200
    client.control("PUT", "/deployment", original)
    assert status() == 400


def test_a_deployment_of_other_things_is_refused_while_it_runs(folder: Path) -> None:
    client = Client(folder)
    ours = json.loads((ROOT / "infra" / "local.snapshot.json").read_text())
    for other in (b"", b"{}", b"[]", b"not JSON", body(ours | {"outputs": {}})):
        with pytest.raises(RequestRefusedError):
            client.control("PUT", "/deployment", other)


@pytest.mark.parametrize(
    ("resource", "was", "becomes", "told"),
    [
        ("/keys/payload", '"keyOps": ["encrypt", "decrypt"]', '"keyOps": ["sign"]', "vaults"),
        ("/namespaces/relay-local", 'LocalAuth": true', 'LocalAuth": false', "namespaces"),
        ("/queues/retries", '"PT10M"', '"PT20M"', "namespaces"),
        ("/sites/relay-sender-local", '"name": "RELAY_', '"name": "PLANTED_', "apps"),
    ],
)
def test_what_would_not_take_effect_is_refused_while_it_runs(
    folder: Path, resource: str, was: str, becomes: str, told: str
) -> None:
    snapshot = json.loads((ROOT / "infra" / "local.snapshot.json").read_text())
    (place,) = (
        n for n, r in enumerate(snapshot["predictedResources"]) if r["id"].endswith(resource)
    )
    text = json.dumps(snapshot["predictedResources"][place])
    assert was in text
    snapshot["predictedResources"][place] = json.loads(text.replace(was, becomes, 1))
    with pytest.raises(RequestRefusedError, match=rf"more than rights and attachments \({told}"):
        Client(folder).control("PUT", "/deployment", body(snapshot))


def body(content: object) -> bytes:
    return json.dumps(content).encode()


def test_another_folder_is_another_cloud_and_nothing_is_left_of_it(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "second"
    with up(path) as second:
        mine, other = (json.loads((f / "endpoints.json").read_text()) for f in (folder, path))
        assert mine["sender"] != other["sender"]
        assert mine["bus"] != other["bus"]
        second.send_signal(signal.SIGINT)
        assert second.wait(30) == 0
    assert not (path / "endpoints.json").exists()
    assert app_processes(path) == {}
    assert "no local cloud is up" in local("status", "--folder", str(path)).stderr


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_apps_do_not_outlive_a_cloud_that_is_killed(tmp_path: Path) -> None:
    with up(tmp_path / "cloud") as killed:
        # Of each app its host and its worker.
        assert len(app_processes(tmp_path / "cloud")) == 6
        killed.kill()
        killed.wait()
        wait_until_gone(tmp_path / "cloud")


@pytest.mark.long
def test_the_demo_shows_five_identical_messages_and_ends(tmp_path: Path) -> None:
    shown = process("demo", "--folder", str(tmp_path / "cloud"))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    lines = shown.stdout.splitlines()
    assert len([line for line in lines if line.endswith(" verified")]) == 5
    listed = [line.split() for line in lines if "  delivered  " in line]
    assert [len(line) for line in listed] == [7] * 5, "accepted, queued, delivered: each has a time"


def test_a_snapshot_that_cannot_be_run_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("no snapshot")
    where = ["--folder", str(tmp_path / "cloud"), "--snapshot", str(tmp_path / "x.json")]
    refused = process("up", *where)
    assert refused.returncode == 1
    assert "x.json" in refused.stderr

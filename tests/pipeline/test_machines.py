"""Virtual machines: what the document tells, run as written, and what each of their tokens can."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA256

from tests.pipeline.cloud_process import ROOT, Running, running

SNAPSHOT = "machines.snapshot.json"
DOCUMENT = ROOT / "docs" / "virtual-machine.md"
IMDS = "http://169.254.169.254"
VAULT = "https://vault.azure.net"
MACHINES = ("reader", "merged", "split")


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give the local cloud of the deployment with all machines."""
    with running(tmp_path_factory.mktemp("machines") / "folder", SNAPSHOT) as up:
        yield up


async def on(cloud: Running, machine: str, **more: str) -> dict[str, str]:
    """Return the environment of a program on a machine: nothing of an app's is in it."""
    found = await cloud.control("GET", f"/machines/{machine}/environment")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(cloud.folder), **found, **more}


def bash(script: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def expected_secret(cloud: Running) -> str:
    return f"sqlite+aiosqlite:///{cloud.folder.resolve()}/database.sqlite3"


def told_calls() -> str:
    """The commands of the document, as they stand there."""
    section = DOCUMENT.read_text().partition("## The two calls")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert [block.count("curl ") for block in found] == [1, 1]
    return "".join(found)


def moved(commands: str, addresses: Mapping[str, str]) -> str:
    """Change addresses, each of which stands there, and nothing else."""
    for there, here in addresses.items():
        assert commands.count(there) == 1
        commands = commands.replace(there, here)
    return commands


async def test_the_two_calls_of_the_document_work_as_written(machines: Running) -> None:
    environment = await on(machines, "reader")
    vault = environment["SECRET_URL"].partition("/secrets/")[0]
    here = {
        IMDS: environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"],
        "https://database-$SUFFIX.vault.azure.net": vault,
    }
    done = await asyncio.to_thread(bash, moved(told_calls(), here), environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["value"] == expected_secret(machines)


def deployed_script(machine: str) -> str:
    """The script that the deployment runs on a machine."""
    snapshot = json.loads((ROOT / "infra" / SNAPSHOT).read_text())
    (command,) = (
        resource
        for resource in snapshot["predictedResources"]
        if resource["name"] == f"relay-{machine}-local/read-secret"
    )
    return str(command["properties"]["source"]["script"])


async def start(
    cloud: Running, machine: str, **more: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    environment = await on(cloud, machine, ATTEMPTS="1", **more)
    imds = {IMDS: environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"]}
    script = moved(deployed_script(machine), imds)
    return await asyncio.to_thread(bash, script, environment), environment


@pytest.mark.parametrize("machine", MACHINES)
async def test_the_start_up_script_reads_its_secret_and_prints_only_that(
    machines: Running, machine: str
) -> None:
    done, told = await start(machines, machine)
    said = f"success: {told['CLIENT_ID']} may read {told['SECRET_URL']}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


async def test_the_start_up_script_says_what_it_could_not(machines: Running) -> None:
    split, reader = await on(machines, "split"), await on(machines, "reader")
    other_secret, _ = await start(machines, "reader", SECRET_URL=split["SECRET_URL"])
    assert other_secret.returncode == 1
    assert other_secret.stdout.endswith("(403)\n")
    other_identity, _ = await start(machines, "split", CLIENT_ID=reader["CLIENT_ID"])
    assert other_identity.returncode == 1
    assert other_identity.stdout.endswith("(no token)\n")


async def test_the_commands_show_machines_as_they_do_apps(machines: Running) -> None:
    async def local(*arguments: str) -> str:
        command = [sys.executable, "-m", "local", *arguments, "--folder", str(machines.folder)]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    url = machines.endpoints["machines"]["reader"]
    rows = [line.split() for line in (await local("status")).splitlines()]
    assert ["reader", "its", "own,", "database-local", url] in rows
    printed = await local("env", "reader")
    assert f"export AZURE_POD_IDENTITY_AUTHORITY_HOST={url}\n" in printed
    assert "IDENTITY_HEADER" not in printed


def test_a_program_runs_as_on_a_machine(machines: Running) -> None:
    command = [sys.executable, "-m", "local", "vm", "--folder", str(machines.folder)]
    shown = ("printenv", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "IDENTITY_HEADER")
    other = os.environ | {"IDENTITY_HEADER": "of another program"}
    done = subprocess.run(
        [*command, "reader", *shown],
        cwd=ROOT,
        env=other,
        capture_output=True,
        text=True,
        check=False,
    )
    # printenv fails for what is not set, and prints the rest.
    assert (done.returncode, done.stdout) == (1, machines.endpoints["machines"]["reader"] + "\n")
    unknown = subprocess.run(
        [*command, "writer"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert unknown.returncode == 1
    assert "there is no machine 'writer' here; known: reader, merged, split" in unknown.stderr


SDK = """
import os
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

vault, _, name = os.environ["SECRET_URL"].partition("/secrets/")
credential = ManagedIdentityCredential(client_id=os.environ["CLIENT_ID"])
client = SecretClient(vault, credential, verify_challenge_resource=False)
print(client.get_secret(name).value)
"""


async def test_the_sdks_on_a_machine_read_its_secret(machines: Running) -> None:
    environment = await on(machines, "reader")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", SDK],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, expected_secret(machines)), done.stderr


# Whose token, asked for on which machine, and how; None is without naming an identity.
TOKENS = (
    ("reader", "itself", None),
    ("reader", "database", "database"),
    ("merged", "receiver_merged", None),
    ("split", "decrypt", "decrypt"),
    ("split", "partner", "partner"),
)
CAN = (
    "decrypt with `payload`",
    "get `partner-connection`",
    "get `database-connection`",
    "encrypt with `payload`",
    "read key `payload`",
)


def identity_id(name: str) -> str:
    snapshot = json.loads((ROOT / "infra" / SNAPSHOT).read_text())
    (found,) = (
        resource["id"]
        for resource in snapshot["predictedResources"]
        if resource["name"] == f"{name}-local" and "userAssigned" in resource["type"]
    )
    return str(found)


async def ask(
    cloud: Running, session: ClientSession, machine: str, name: str | None
) -> tuple[int, dict[str, Any]]:
    """Ask the metadata service of a machine for a token of the identity of that name."""
    url = f"{cloud.endpoints['machines'][machine]}/metadata/identity/oauth2/token"
    query = {"api-version": "2018-02-01", "resource": VAULT}
    if name is not None:
        query["msi_res_id"] = identity_id(name)
    async with session.get(url, params=query, headers={"Metadata": "true"}) as answer:
        return answer.status, await answer.json()


async def abilities(cloud: Running, session: ClientSession, token: str) -> list[str]:
    """Try everything with one token, as whoever got hold of it could."""
    vaults = {name: cloud.endpoints["vaults"][cloud.vault(name)] for name in ("payload", "partner")}
    vaults["database"] = cloud.endpoints["vaults"][cloud.vault("database")]
    version = (await cloud.versions("payload"))[-1]
    key = f"{vaults['payload']}keys/payload/{version}"
    padding = OAEP(MGF1(SHA256()), SHA256(), None)
    sealed = cloud.private_key(version).public_key().encrypt(b"for the partner", padding)
    value = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    tries = {
        CAN[0]: ("POST", f"{key}/decrypt", {"alg": "RSA-OAEP-256", "value": value}),
        CAN[1]: ("GET", f"{vaults['partner']}secrets/partner-connection", None),
        CAN[2]: ("GET", f"{vaults['database']}secrets/database-connection", None),
        CAN[3]: ("POST", f"{key}/encrypt", {"alg": "RSA-OAEP-256", "value": "AAAA"}),
        CAN[4]: ("GET", key, None),
    }
    outcome = {}
    for what, (method, url, body) in tries.items():
        headers = {"Authorization": f"Bearer {token}"}
        query = {"api-version": "2025-07-01"}
        async with session.request(method, url, params=query, json=body, headers=headers) as answer:
            assert answer.status in (200, 403), await answer.text()
            if what == CAN[0] and answer.status == 200:
                opened = base64.urlsafe_b64decode((await answer.json())["value"] + "==")
                assert opened == b"for the partner"
            outcome[what] = "yes" if answer.status == 200 else "no"
    return [outcome[what] for what in CAN]


async def test_each_token_can_what_the_table_of_the_document_says(machines: Running) -> None:
    lines = [f"| token of | from machine | {' | '.join(CAN)} |", "|---" * (len(CAN) + 2) + "|"]
    async with machines.session() as session:
        for machine, who, name in TOKENS:
            status, answer = await ask(machines, session, machine, name)
            assert status == 200
            can = await abilities(machines, session, answer["access_token"])
            shown = f"`{machine}` itself" if name is None and who == "itself" else f"`{who}`"
            lines.append(f"| {shown} | {machine} | {' | '.join(can)} |")
    document = DOCUMENT.read_text()
    told = document.partition("<!-- table: machines -->\n")[2].partition("\n<!-- end")[0]
    assert "\n".join(lines) == told


async def test_a_machine_gets_no_token_of_an_identity_of_another(machines: Running) -> None:
    attached = {
        "reader": {"database"},
        "merged": {"receiver_merged"},
        "split": {"decrypt", "partner"},
    }
    async with machines.session() as session:
        for machine, own in attached.items():
            for name in ("database", "receiver_merged", "decrypt", "partner", "encrypt"):
                status, answer = await ask(machines, session, machine, name)
                assert status == (200 if name in own else 400), (machine, name)
                if status == 400:
                    assert answer["error_description"] == "Identity not found"


async def test_a_machine_with_two_identities_has_to_say_which(machines: Running) -> None:
    async with machines.session() as session:
        status, answer = await ask(machines, session, "split", None)
    assert status == 400
    assert answer["error_description"].startswith("Multiple user assigned identities exist")


async def test_an_identity_taken_from_a_machine_is_gone_at_once(machines: Running) -> None:
    snapshot = json.loads((ROOT / "infra" / SNAPSHOT).read_text())
    for resource in snapshot["predictedResources"]:
        if resource["name"] == "relay-split-local":
            resource.get("identity", {}).get("userAssignedIdentities", {}).pop(
                identity_id("decrypt"), None
            )
    async with machines.session() as session:
        try:
            await machines.deploy(snapshot)
            assert (await ask(machines, session, "split", "decrypt"))[0] == 400
            assert (await ask(machines, session, "split", None))[0] == 200
        finally:
            await machines.deploy(json.loads(machines.snapshot.read_text()))
        assert (await ask(machines, session, "split", "decrypt"))[0] == 200

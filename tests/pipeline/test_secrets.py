"""The partner's secret comes in unseen, from somebody who may set it and not read it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient

from tests.pipeline.cloud_process import ROOT, Running

SIGNING = "whsec_" + "QUJD" * 10
DOCUMENT = json.dumps({"kind": "webhook", "url": "https://partner.test/in", "secrets": [SIGNING]})
NAME = "partner-connection"


def ops(
    cloud: Running, *arguments: str, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops", "secrets", "--folder", str(cloud.folder), *arguments],
        cwd=ROOT,
        input=given or "",
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


@asynccontextmanager
async def client(
    cloud: Running, principal: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SecretClient]:
    kind = "operators" if principal in ("secrets_officer", "migrator") else "apps"
    environment = await cloud.control("GET", f"/{kind}/{principal}/environment")
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, environment[name])
    credential = ManagedIdentityCredential(client_id=environment.get("RELAY_IDENTITY_PARTNER"))
    url = cloud.endpoints["vaults"][cloud.vault("partner")]
    async with (
        credential,
        SecretClient(
            url,
            credential,
            verify_challenge_resource=False,
            connection_verify=cloud.ca,
            retry_total=0,
        ) as made,
    ):
        yield made


def test_a_set_value_stays_unless_another_is_asked_for(each_cloud: Running) -> None:
    kept = ops(each_cloud, given=DOCUMENT)
    assert kept.returncode == 0
    assert "it stays; --replace" in kept.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "nothing was given"),
        (SIGNING, "not a JSON document"),
        ('{"kind": "pigeon", "x": "hush-hush"}', "not of `kind`"),
        ('{"kind": "unset"}', "still has the value"),
        ('{"kind": "webhook", "url": "http://hush-hush", "secrets": []}', "nothing is set"),
    ],
)
def test_what_the_receiver_could_not_read_is_refused_and_not_shown(
    each_cloud: Running, given: str, said: str
) -> None:
    refused = ops(each_cloud, "--replace", given=given)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert "hush-hush" not in refused.stderr + refused.stdout
    assert SIGNING not in refused.stderr + refused.stdout


async def test_the_officer_sets_it_and_cannot_read_it(
    each_cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = ops(each_cloud, "--replace", "--days", "30", given=f"{DOCUMENT}\n")
    assert done.returncode == 0, done.stderr
    assert SIGNING not in done.stderr + done.stdout
    async with client(each_cloud, "receiver", monkeypatch) as receiver:
        secret = await receiver.get_secret(NAME)
    assert secret.value == DOCUMENT
    assert secret.properties.expires_on is not None
    async with client(each_cloud, "secrets_officer", monkeypatch) as officer:
        with pytest.raises(HttpResponseError) as refused:
            await officer.get_secret(NAME)
    assert refused.value.status_code == 403


async def test_a_placeholder_is_replaced_without_being_asked_to(
    each_cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(each_cloud, "secrets_officer", monkeypatch) as officer:
        await officer.set_secret(NAME, '{"kind": "unset"}', tags={"relay": "unset"})
    done = ops(each_cloud, given=DOCUMENT)
    assert done.returncode == 0, done.stderr
    assert "is set; it is to be replaced before" in done.stderr


async def test_the_other_operators_may_not_set_it(
    each_cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(each_cloud, "migrator", monkeypatch) as migrator:
        with pytest.raises(HttpResponseError) as refused:
            await migrator.set_secret(NAME, DOCUMENT)
    assert refused.value.status_code == 403


def test_a_cloud_that_is_not_up_is_reported(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "ops", "secrets", "--folder", str(tmp_path)],
        cwd=ROOT,
        input=DOCUMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert SIGNING not in run.stderr

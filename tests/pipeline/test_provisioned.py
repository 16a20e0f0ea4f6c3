"""What is done after a deployment, and what is reported where it cannot be done yet."""

from __future__ import annotations

import asyncio

import pytest

from ops.partner_secret import OFFICER, SECRET, UNSET
from ops.post_provision import make_tables, post_provision, set_secret
from ops.secret_target import SecretTarget
from ops.target import TargetNotGivenError
from tests.databases import AWAY
from tests.pipeline.cloud_process import Running

DATABASE = "database-connection"


@pytest.fixture(autouse=True)
def own_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back who this process is."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, "")


def test_nothing_is_left_where_all_is_done(
    cloud: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(make_tables(SecretTarget.in_folder(DATABASE, "migrator", cloud.folder))) == []
    assert "already" in capsys.readouterr().out
    assert list(set_secret(SecretTarget.in_folder(SECRET, OFFICER, cloud.folder))) == []
    assert "it stays" in capsys.readouterr().err


def test_a_database_that_is_not_reached_is_left_to_do(
    cloud: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(cloud.database(AWAY))
    (left,) = make_tables(SecretTarget.in_folder(DATABASE, "migrator", cloud.folder))
    assert "RELAY_ALLOWED_ADDRESSES" in left
    shown = capsys.readouterr()
    assert "nothing is changed" in shown.err
    assert "planted" not in shown.err + shown.out + left


def test_a_secret_that_is_unset_is_left_to_do_without_a_terminal(cloud: Running) -> None:
    place = SecretTarget.in_folder(SECRET, OFFICER, cloud.folder)

    async def unset() -> None:
        async with place.client() as client:
            await client.set_secret(SECRET, "to be set", tags=dict([UNSET]))

    asyncio.run(unset())
    (left,) = set_secret(place)
    assert "no terminal to ask on" in left


def test_a_private_deployment_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    there = {"RELAY_VAULT_DATABASE": "database-x", "RELAY_VAULT_PARTNER": "partner-x"}
    assert post_provision({**there, "DEPLOYED_NETWORK": "private"}) == 0
    assert "with RELAY_INSIDE=1" in capsys.readouterr().err
    with pytest.raises(TargetNotGivenError, match="RELAY_VAULT_PARTNER"):
        post_provision({"RELAY_VAULT_DATABASE": "database-x"})

"""What `up` and `demo` print about a cloud, from its endpoints.json alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.cli.addresses import addresses, curl_commands
from local.cli.client import Client, RequestRefusedError
from local.deployment.deployment import load

INFRA = Path(__file__).parents[4] / "infra"
ENDPOINTS = {
    "vaults": {"payload-local": "https://127.0.0.1:8441/"},
    "partner": "https://127.0.0.1:7090",
    "partner_bus": "sb://127.0.0.1:5672",
    "ca": "/x/ca.pem",
    "sender": "http://127.0.0.1:7071",
}


@pytest.fixture
def client(tmp_path: Path) -> Client:
    (tmp_path / "endpoints.json").write_text(json.dumps(ENDPOINTS))
    return Client(tmp_path)


def test_every_endpoint_has_a_line_within_80_columns(client: Client) -> None:
    lines = addresses(client, load(INFRA / "local.snapshot.json")).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines[:5]] == [
        ["vaults", "payload-local:", "https://127.0.0.1:8441/"],
        ["partner", "https://127.0.0.1:7090"],
        ["partner_bus", "sb://127.0.0.1:5672"],
        ["ca", "/x/ca.pem"],
        ["sender", "http://127.0.0.1:7071"],
    ]
    # What is left out comes last, summed up.
    assert lines[5] == ""
    assert " resources have no effect on this machine: " in lines[6]
    assert len(lines) < 12


def test_the_commands_send_keys_only_where_there_are_any(client: Client, tmp_path: Path) -> None:
    post, received = curl_commands(client, tmp_path, keys=True)
    assert "x-functions-key" in post
    assert f"--folder {tmp_path}" in received
    assert "x-functions-key" not in curl_commands(client, tmp_path, keys=False)[0]


def test_an_endpoint_that_is_missing_is_named(client: Client) -> None:
    with pytest.raises(RequestRefusedError, match="no endpoint 'tracker'"):
        client.url("tracker")

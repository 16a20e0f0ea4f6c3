from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from local.runtime.endpoints import Endpoints

ENDPOINTS = Endpoints(
    identity="http://127.0.0.1:7080",
    machines={},
    vaults={"payload-local": "https://127.0.0.1:8441/"},
    administration="https://127.0.0.1:5300",
    bus="sb://127.0.0.1:5671",
    partner="https://127.0.0.1:7090",
    partner_bus="sb://127.0.0.1:5672",
    ca=Path("/x/ca.pem"),
    apps={"sender": "http://127.0.0.1:7071"},
)


def test_apps_are_beside_the_services() -> None:
    assert ENDPOINTS.as_json() == {
        "identity": "http://127.0.0.1:7080",
        "vaults": {"payload-local": "https://127.0.0.1:8441/"},
        "bus": "sb://127.0.0.1:5671",
        "administration": "https://127.0.0.1:5300",
        "partner": "https://127.0.0.1:7090",
        "partner_bus": "sb://127.0.0.1:5672",
        "ca": "/x/ca.pem",
        "sender": "http://127.0.0.1:7071",
    }


def test_machines_are_listed_where_there_are_any() -> None:
    machines = {"reader": "http://127.0.0.1:7081"}
    assert replace(ENDPOINTS, machines=machines).as_json()["machines"] == machines

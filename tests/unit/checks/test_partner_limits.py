"""Each instance's part of what the partner bears: all together never exceed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import access
from checks.declaration import Access, DeclaredApp
from checks.partner_limits import chosen_settings, partner_settings, posting_instances
from shared.settings.environment import load
from shared.settings.settings import ReceiverSettings
from tests.unit.shared.settings.test_settings import environment

INFRA = Path(__file__).resolve().parents[3] / "infra"
ACCESS = access.load(INFRA / "access.json")


def receiver(access: Access = ACCESS) -> DeclaredApp:
    (app,) = (app for app in access["apps"] if app["name"] == "receiver")
    return app


def parameters(concurrency: int, rate: int, **scale: Any) -> dict[str, Any]:
    return {
        "partnerConcurrency": concurrency,
        "partnerRate": rate,
        "scale": {"receiver": scale},
        "appSettings": {},
    }


def read(settings: dict[str, str]) -> ReceiverSettings:
    loaded = load(environment("receiver", **settings))["receiver"]
    assert isinstance(loaded, ReceiverSettings)
    return loaded


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 1000))
def test_all_instances_together_never_exceed_a_limit(
    concurrency: int, rate: int, most: int
) -> None:
    chosen = parameters(concurrency, rate, maximumInstanceCount=most)
    settings = partner_settings(ACCESS, receiver(), chosen)
    instances = posting_instances(ACCESS, receiver(), chosen["scale"]["receiver"])
    assert instances >= most
    app = read(settings)
    assert app.partner_concurrency * instances <= max(concurrency, instances)
    assert app.partner_rate * instances <= max(rate, instances / 1000) + 1e-9
    assert app.partner_rate > 0, "0 would be no limit at all"


def test_instances_that_are_always_ready_come_on_top() -> None:
    ready = [{"name": "function:receive", "instanceCount": 3}]
    more = posting_instances(ACCESS, receiver(), {"alwaysReady": ready})
    assert more == posting_instances(ACCESS, receiver(), {}) + 3


def test_triage_posts_nothing_and_takes_no_part() -> None:
    queues = receiver()["trigger"]["queues"]
    assert "dead-letters" in queues
    assert posting_instances(ACCESS, receiver(), {}) == 40 * (len(queues) - 1)


@pytest.mark.parametrize("app", ["sender", "tracker"])
def test_an_app_that_posts_nothing_gets_no_limit(app: str) -> None:
    assert chosen_settings(ACCESS, parameters(50, 5))[app] == {}


def test_without_a_limit_nothing_is_set_and_a_setting_of_the_deployment_wins() -> None:
    assert chosen_settings(ACCESS, parameters(0, 0))["receiver"] == {}
    chosen = parameters(50, 5) | {"appSettings": {"receiver": {"RELAY_PARTNER_RATE": "7"}}}
    assert chosen_settings(ACCESS, chosen)["receiver"]["RELAY_PARTNER_RATE"] == "7"


@pytest.mark.parametrize(
    ("text", "rate"), [("0", 0.0), ("0.001", 0.001), ("20", 20.0), ("0.25", 0.25), ("10000", 1e4)]
)
def test_a_rate_is_a_number_of_posts_a_second(text: str, rate: float) -> None:
    assert read({"RELAY_PARTNER_RATE": text}).partner_rate == rate

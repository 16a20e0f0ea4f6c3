"""How many messages an instance handles and posts at once, where nobody sets it."""

from __future__ import annotations

from pathlib import Path

from local.host.host_json import HostJson
from shared.partner.gate import GatePolicy
from shared.settings.settings import ReceiverSettings

HOST_JSON = Path(__file__).resolve().parents[4] / "host.json"


def test_the_host_makes_twice_as_many_calls_as_the_receiver_makes_posts() -> None:
    # A call that opens its message, or waits until the bus has its receipt, takes no post's place.
    posts = ReceiverSettings.partner_concurrency
    assert posts == GatePolicy().concurrency == 32
    assert HostJson.load(HOST_JSON, {}).service_bus.max_concurrent_calls == 2 * posts

from __future__ import annotations

import pytest

from shared.standards.addresses import is_local, is_loopback

LOOPBACK = (
    "localhost",
    "LocalHost",
    "localhost.",
    "127.0.0.1",
    "127.8.9.10",
    "::1",
    "[::1]",
    "::ffff:127.0.0.1",
)
LINK_LOCAL = ("169.254.169.254", "169.254.129.2", "fe80::1", "::ffff:169.254.169.254")
ELSEWHERE = (
    "",
    "relay.example",
    "localhost.example",
    "127.0.0.1.example",
    "127.0.0.1@relay.example",
    "example.localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",  # noqa: S104 - nobody listens
    "::",
    "10.0.0.4",
    "168.63.129.16",
    "::ffff:8.8.8.8",
    "/run/postgresql",
)


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_is_this_machine(host: str) -> None:
    assert is_loopback(host)
    assert is_local(host)


@pytest.mark.parametrize("host", LINK_LOCAL)
def test_an_address_of_the_link_is_local_and_not_loopback(host: str) -> None:
    assert is_local(host)
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_whatever_could_be_another_machine_is_neither(host: str) -> None:
    assert not is_loopback(host)
    assert not is_local(host)

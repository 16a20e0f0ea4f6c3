from __future__ import annotations

import pytest

from local.bus.broker.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("q", Address("q")),
        ("/Q/", Address("q")),
        ("amqps://host:5671/Q", Address("q")),
        ("sb://host/q/$DeadLetterQueue", Address("q", is_dead_letter=True)),
        ("q/$management", Address("q", is_management=True)),
        (
            "q/$deadletterqueue/$Management",
            Address("q", is_dead_letter=True, is_management=True),
        ),
        ("q/$Transfer/$DeadLetterQueue", Address("q", is_dead_letter=True, is_transfer=True)),
        ("q/$transfer", Address("q/$transfer")),
        ("$cbs", Address("$cbs")),
        ("a/b", Address("a/b")),
        ("", Address("")),
        ("sb://[host/q", Address("")),
    ],
)
def test_an_address_names_an_entity_and_a_side_of_it(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "q",
        "q/$deadletterqueue",
        "q/$deadletterqueue/$management",
        "q/$transfer/$deadletterqueue/$management",
    ],
)
def test_a_path_is_read_back(text: str) -> None:
    assert parse_address(text).path == text

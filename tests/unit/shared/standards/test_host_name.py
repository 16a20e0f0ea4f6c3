from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.standards.host_name import host_name_problem


@pytest.mark.parametrize(
    "host",
    [
        "partner.example",
        "partner.example.",
        "localhost",
        "a" * 63 + ".example",
        "xn--bcher-kva.de",
        "a_b.example",
        "127.0.0.1",
        "::1",
        "3com.example",
        "relay-1.servicebus.windows.net",
    ],
)
def test_a_name_that_can_be_looked_up_has_no_problem(host: str) -> None:
    assert host_name_problem(host) is None


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("relay..partner.example", "empty label"),
        (".partner.example", "empty label"),
        ("partner.example..", "empty label"),
        ("", "empty label"),
        ("a" * 64 + ".example", "label of more than 63"),
        (".".join(["a" * 60] * 5), "more than 253"),
        ("a b.example", "letters, digits"),
        ("-a.example", "letters, digits"),
        ("a-.example", "letters, digits"),
        ("b\u00fccher.example", "letters, digits"),
        ("%41.example", "letters, digits"),
        ("1.2.3", "ends in a number"),
        ("partner.256", "ends in a number"),
        ("999.0.0.1", "ends in a number"),
    ],
)
def test_a_name_that_cannot_be_looked_up_is_named_by_its_problem(host: str, problem: str) -> None:
    assert problem in str(host_name_problem(host))


@given(st.text(st.sampled_from("ab1-._:%\u00e9 "), max_size=150))
def test_what_passes_the_resolver_can_encode(host: str) -> None:
    if host_name_problem(host) is None:
        host.encode("idna")  # what `socket.getaddrinfo` does before it asks anybody

"""Tokens put by $cbs, without a connection."""

from __future__ import annotations

import pytest

from local.bus.amqp.errors import UnauthorizedError
from local.bus.amqp.message import application_properties, parse
from local.bus.amqp.values import Value
from local.bus.broker.address import Address
from local.bus.server.cbs import cbs_node
from local.bus.server.link import Link
from tests.unit.local.bus.server.session import SENDER, Session, attach, request


def put(session: Session, operation: str, token: Value, **properties: Value) -> Value:
    """Return the status of the response."""
    link = Link(session, attach("$cbs", SENDER), Address("$cbs"), None)
    cbs_node(link, None, request(operation, token, **properties))
    return application_properties(parse(session.replies[-1][2]))["status-code"]


def test_a_token_gives_its_rights_for_its_audience() -> None:
    session = Session()
    assert put(session, "put-token", "somebody", name="sb://host/plain") == 202
    assert session.claims.require("send", Address("plain")).id == "somebody"
    with pytest.raises(UnauthorizedError):
        session.claims.require("send", Address("retries"))


@pytest.mark.parametrize(
    ("operation", "token", "name", "status"),
    [
        ("put-token", "forged", "sb://host/", 401),
        ("put-token", 7, "sb://host/", 400),
        ("put-token", "somebody", None, 400),
        ("put-token", "somebody", "sb://host/nowhere", 404),
        ("put-token", "somebody", "amqps://host:5671/nowhere/$management", 404),
        ("put-token", "forged", "sb://host/nowhere", 401),
        ("delete-token", "somebody", "sb://host/", 501),
    ],
)
def test_anything_else_is_refused_and_gives_nothing(
    operation: str, token: Value, name: Value, status: int
) -> None:
    session = Session()
    assert put(session, operation, token, name=name) == status
    with pytest.raises(UnauthorizedError):
        session.claims.require("send", Address("plain"))


@pytest.mark.parametrize(
    "name",
    ["sb://host", "sb://host/PLAIN", "plain/$management", "sb://host/plain/$DeadLetterQueue"],
)
def test_a_token_is_taken_for_what_there_is(name: str) -> None:
    assert put(Session(), "put-token", "somebody", name=name) == 202

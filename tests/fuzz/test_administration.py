"""The administration of the bus, used by who may do everything: no request makes it fail."""

from __future__ import annotations

import time
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bus.administration import atom
from local.bus.administration.application import Administration
from local.bus.administration.rendering import NO_USE, write_entity
from local.bus.administration.rule_descriptions import write_rule
from local.bus.broker.namespace import Namespace
from local.deployment.resources import QueueSpec, SubscriptionSpec, TopicSpec
from local.deployment.rules import CorrelationFilterSpec, RuleSpec, SqlSpec
from tests.fuzz.checking import check_damaged, check_request
from tests.fuzz.client import statuses
from tests.fuzz.effort import EFFORT
from tests.fuzz.requests import Request, changed, damaged, request
from tests.fuzz.socketless import Port, SocketlessServer
from tests.fuzz.unforeseen import Unforeseen
from tests.integration.local.bus.conftest import NAMESPACE, Grants

SPEC = replace(NAMESPACE, local_auth=False)
TOKEN = (b"Authorization", b"Bearer jwt-of-root")
VERSION = (("api-version", "2021-05"),)
QUEUE = QueueSpec("/q", "q", forward_to="plain")
TOPIC = TopicSpec("/t", "t")
RULE = RuleSpec("r", SqlSpec("color = @color AND a > 1", {"@color": "red"}), SqlSpec("SET a = 2"))
CORRELATION = RuleSpec("r", CorrelationFilterSpec({"MessageId": "m"}, {"a": 1, "b": "x"}))
SUBSCRIPTION = SubscriptionSpec("/s", "t/subscriptions/s", topic="t", rules=(RULE,))


def described(content: str) -> bytes:
    return atom.entry(atom.Entry("title", "https://localhost/q", 0.0, 0.0, content)).encode()


def requests() -> list[Request]:
    bodies = {
        "/q": described(write_entity(QUEUE, NO_USE, SPEC)),
        "/t": described(write_entity(TOPIC, NO_USE, SPEC)),
        "/t/subscriptions/s": described(write_entity(SUBSCRIPTION, NO_USE, SPEC)),
        "/t/subscriptions/s/rules/r": described(write_rule(RULE)),
        "/t/subscriptions/s/rules/c": described(write_rule(CORRELATION)),
    }
    changes = ((b"If-Match", b"*"), (b"Content-Type", b"application/atom+xml"))
    headers = (TOKEN, (b"ServiceBusSupplementaryAuthorization", b"Bearer jwt-of-root"))
    puts = [
        request("PUT", path, body, query=VERSION, headers=(*headers, *more))
        for path, body in bodies.items()
        for more in ((), changes)
    ]
    paths = (
        *("/$namespaceinfo", "/$Resources/queues", "/$Resources/topics", "/q", "/t", "/plain"),
        *("/t/subscriptions", "/t/subscriptions/s", "/t/subscriptions/s/rules", "/a/b/c"),
    )
    paged = (*VERSION, ("$skip", "1"), ("$top", "2"))
    gets = [request("GET", path, query=paged, headers=[TOKEN]) for path in paths]
    deletes = [request("DELETE", path, query=VERSION, headers=[TOKEN]) for path in bodies]
    return puts + gets + deletes


def serve(server: SocketlessServer) -> Port:
    namespace = Namespace(SPEC, time.time)
    administration = Administration(SPEC, Grants(), lambda: namespace, lambda: None)
    return server.serve(administration.application, requests(), is_tls=True)


@pytest.fixture(scope="module")
def port(server: SocketlessServer) -> Port:
    return serve(server)


@EFFORT
@given(st.data())
def test_no_request_makes_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    check_request(port, unforeseen, data.draw(changed(port.requests)))


@EFFORT
@given(st.data())
def test_no_bytes_make_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    check_damaged(port, unforeseen, data.draw(damaged(port.requests)))


@EFFORT
@given(st.data())
def test_whatever_is_answered_is_xml(
    port: Port, unforeseen: Unforeseen, data: st.DataObject
) -> None:
    answer = port.answer([data.draw(changed(port.requests)).encoded()], is_whole=False)
    assert not unforeseen.take()
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"xml" in head and body:
        ET.fromstring(body)  # noqa: S314 - our own


@pytest.mark.parametrize("chunks", [b"2\r\nabcd\r\n", b"x\r\n", b"-1\r\n"])
def test_malformed_chunks_are_the_clients_error(
    port: Port, unforeseen: Unforeseen, chunks: bytes
) -> None:
    head, _, _ = (
        next(one for one in port.requests if one.body).encoded().partition(b"Content-Length")
    )
    sent = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    assert statuses(port.answer([sent], is_whole=True)) == [400]
    assert not unforeseen.take()

"""The unmodified administration client, and the data plane beside it."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from aiohttp.typedefs import Handler
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import ServiceBusError
from azure.servicebus.management import (
    CorrelationRuleFilter,
    EntityStatus,
    ServiceBusAdministrationClient,
    SqlRuleAction,
    SqlRuleFilter,
)

from local.bus.administration.application import Administration
from local.net.loopback import listen
from local.net.serving import serve
from tests.integration.local.bus.conftest import KEY, NAMESPACE, Bus

pytestmark = [
    # The SDK's own, where it reads rules.
    pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning"),
    pytest.mark.usefixtures("left_sockets"),
]


@dataclass
class Administered:
    """A bus, and where its administration is."""

    bus: Bus
    host: str

    @contextmanager
    def client(self, rule: str = "all") -> Iterator[ServiceBusAdministrationClient]:
        client = ServiceBusAdministrationClient.from_connection_string(
            f"Endpoint=sb://{self.host};SharedAccessKeyName={rule};SharedAccessKey={KEY}",
            connection_verify=str(self.bus.ca),
            retry_total=0,
        )
        with client:
            yield client

    def send(self, entity: str, *bodies: str, **properties: Any) -> None:
        given: dict[str | bytes, Any] = dict(properties.items())
        messages = [ServiceBusMessage(one, application_properties=given) for one in bodies]
        with self.bus.sync_client() as client, client.get_topic_sender(entity) as sender:
            sender.send_messages(messages)

    def receive(
        self, topic: str, subscription: str, count: int, **options: Any
    ) -> list[ServiceBusReceivedMessage]:
        found: list[ServiceBusReceivedMessage] = []
        with (
            self.bus.sync_client() as client,
            client.get_subscription_receiver(topic, subscription, **options) as receiver,
        ):
            while len(found) < count:
                for message in receiver.receive_messages(count, max_wait_time=10):
                    receiver.complete_message(message)
                    found.append(message)
        return found

    def request(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=str(self.bus.ca))
        connection = http.client.HTTPSConnection(self.host, context=context, timeout=10)
        given = {"Authorization": "Bearer jwt-of-root"} | headers
        connection.request(method, path, body, given)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text


@pytest.fixture
def administered(threaded_bus: Bus, authority: tuple[trustme.CA, Path]) -> Iterator[Administered]:
    stack = AsyncExitStack()
    server = threaded_bus.server
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("127.0.0.1").configure_cert(context)

    transports: set[asyncio.BaseTransport | None] = set()

    @web.middleware
    async def remember_transport(request: web.Request, handler: Handler) -> web.StreamResponse:
        transports.add(request.transport)
        return await handler(request)

    async def start() -> str:
        administration = Administration(
            NAMESPACE,
            threaded_bus.grants,
            lambda: server.namespace,
            server.entities_changed,
            threaded_bus.notes,
        )
        administration.application.middlewares.append(remember_transport)
        return await serve(stack, administration.application, listen(0), context)

    async def stop() -> None:
        await stack.aclose()
        # The loop ends next, and TLS would wait for clients that keep their connections.
        for transport in transports:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        await asyncio.sleep(0)

    url = asyncio.run_coroutine_threadsafe(start(), threaded_bus.loop).result()
    yield Administered(threaded_bus, url.removeprefix("https://"))
    asyncio.run_coroutine_threadsafe(stop(), threaded_bus.loop).result()


def test_what_is_administered_takes_and_gives_messages(administered: Administered) -> None:
    with administered.client() as client:
        client.create_topic("orders")
        client.create_subscription("orders", "all")
        client.create_subscription("orders", "red")
        client.create_rule(
            "orders",
            "red",
            "red",
            filter=SqlRuleFilter("color = @color", {"@color": "red"}),
            action=SqlRuleAction("SET seen = 'yes'"),
        )
        client.delete_rule("orders", "red", "$Default")

        administered.send("orders", "1", color="red")
        administered.send("orders", "2", color="blue")

        assert [str(one) for one in administered.receive("orders", "all", 2)] == ["1", "2"]
        (red,) = administered.receive("orders", "red", 1)
        assert red.application_properties == {
            b"color": b"red",
            b"seen": b"yes",
            b"RuleName": b"red",
        }
        assert red.enqueued_sequence_number == 1
        counts = client.get_subscription_runtime_properties("orders", "red")
        assert (counts.active_message_count, counts.total_message_count) == (0, 0)
        assert client.get_topic_runtime_properties("orders").subscription_count == 2


def test_filters_are_counted_by_kind_for_the_version_that_has_them(
    administered: Administered,
) -> None:
    with administered.client() as client:
        client.create_topic("orders")
        client.create_subscription("orders", "all")
        client.create_rule("orders", "all", "sql", filter=SqlRuleFilter("1=1"))
        client.create_subscription("orders", "some")
        client.create_rule(
            "orders", "some", "one", filter=CorrelationRuleFilter(correlation_id="1")
        )

        counts = client.get_topic_runtime_properties("orders")
        assert (counts.sql_filter_count, counts.correlation_filter_count) == (3, 1)
    _, text = administered.request("GET", "/orders?api-version=2021-05")
    assert "SubscriptionCount" in text
    assert "FilterCount" not in text


def test_a_failing_filter_leaves_a_dead_letter(administered: Administered) -> None:
    with administered.client() as client:
        client.create_topic("t")
        client.create_subscription("t", "s")
        client.create_rule("t", "s", "bad", filter=SqlRuleFilter("n > 'a'"))
        administered.send("t", "1", n=5)
        (dead,) = administered.receive("t", "s", 1, sub_queue=ServiceBusSubQueue.DEAD_LETTER)

    assert dead.dead_letter_reason == "FilterEvaluationException"


def test_a_queue_is_made_changed_listed_and_deleted(administered: Administered) -> None:
    with administered.client() as client:
        made = client.create_queue("mine", lock_duration=timedelta(seconds=30), user_metadata="<x>")
        assert (made.lock_duration, made.user_metadata) == (timedelta(seconds=30), "<x>")
        with pytest.raises(ResourceExistsError):
            client.create_queue("MINE")
        made.max_delivery_count = 3
        client.update_queue(made)
        assert client.get_queue("mine").max_delivery_count == 3
        names = [one.name for one in client.list_queues()]
        assert names == sorted([*(queue.name for queue in NAMESPACE.queues), "mine"])
        client.delete_queue("mine")
        with pytest.raises(ResourceNotFoundError):
            client.get_queue("mine")
        with pytest.raises(ResourceNotFoundError):
            client.delete_queue("mine")


def test_more_than_a_page_is_listed(administered: Administered) -> None:
    with administered.client() as client:
        client.create_topic("t")
        for number in range(101):
            client.create_subscription("t", f"s{number:03}")

        names = [one.name for one in client.list_subscriptions("t")]

    assert names == [f"s{number:03}" for number in range(101)]


def test_a_deleted_or_disabled_queue_lets_nobody_send(administered: Administered) -> None:
    with (
        administered.client() as client,
        administered.bus.sync_client() as bus,
    ):
        made = client.create_queue("mine")
        with bus.get_queue_sender("mine") as sender:
            sender.send_messages(ServiceBusMessage("x"))
            made.status = EntityStatus.SEND_DISABLED
            client.update_queue(made)
            with pytest.raises(ServiceBusError):
                sender.send_messages(ServiceBusMessage("x"))
        client.delete_queue("mine")
        with pytest.raises(ServiceBusError):
            bus.get_queue_sender("mine").send_messages(ServiceBusMessage("x"))


def test_rules_of_every_kind_are_described(administered: Administered) -> None:
    with administered.client() as client:
        client.create_topic("t")
        client.create_subscription("t", "s")
        wanted = CorrelationRuleFilter(label="a", properties={"n": 5})
        client.create_rule("t", "s", "mail", filter=wanted)

        (default, mail) = client.list_rules("t", "s")

    assert default.name == "$Default"
    assert isinstance(mail.filter, CorrelationRuleFilter)
    assert (mail.filter.label, mail.filter.properties) == ("a", {"n": 5})


def test_only_who_may_manage_administers(administered: Administered) -> None:
    with administered.client("send") as client, pytest.raises(ClientAuthenticationError):
        client.get_queue("plain")
    with administered.client("owner") as client:
        client.create_queue("mine")
        # Who may not send to a queue may not let another one forward to it.
        with pytest.raises(ClientAuthenticationError):
            client.update_queue(client.get_queue("mine"), forward_to="plain")
    for token in ("", "Bearer jwt-of-forger", "Basic x"):
        status, _ = administered.request("GET", "/plain?api-version=2021-05", Authorization=token)
        assert status == 401


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/plain", 400),
        ("GET", "/plain?api-version=1", 400),
        ("GET", "/$Resources/queues?api-version=2021-05&$skip=-1", 400),
        ("POST", "/plain?api-version=2021-05", 405),
        ("DELETE", "/$namespaceinfo?api-version=2021-05", 405),
        ("GET", "/t/subscriptions/s?api-version=2021-05", 404),
        ("PUT", "/new?api-version=2021-05", 400),
        ("PUT", "/bad%20name?api-version=2021-05", 400),
    ],
)
def test_what_is_not_a_request_is_refused(
    administered: Administered, method: str, path: str, expected: int
) -> None:
    status, text = administered.request(method, path, "<x/>" if method == "PUT" else "")

    assert (status, f"<Code>{expected}</Code>" in text) == (expected, True)


def test_a_rule_that_is_malformed_is_named(administered: Administered) -> None:
    with administered.client() as client:
        client.create_topic("t")
        client.create_subscription("t", "s")
        with pytest.raises(HttpResponseError, match="Rule bad: A value is expected"):
            client.create_rule("t", "s", "bad", filter=SqlRuleFilter("x ="))


@pytest.mark.parametrize(
    ("method", "path", "headers", "named"),
    [
        ("GET", "/plain?api-version=2021-05&timeout=60", {}, "timeout"),
        ("GET", "/plain?api-version=2021-05&$top=5", {}, "$top"),
        ("GET", "/plain?api-version=2021-05&enrich=perhaps", {}, "enrich"),
        ("GET", "/plain?api-version=2021-05&enrich=true&enrich=false", {}, "enrich"),
        ("GET", "/$Resources/queues?api-version=2021-05&$filter=x", {}, "$filter"),
        ("GET", "/$Resources/queues?api-version=2021-05&$skip=1&$skip=2", {}, "$skip"),
        ("GET", "/plain?api-version=2021-05", {"If-None-Match": "*"}, "If-None-Match"),
        ("GET", "/plain?api-version=2021-05", {"If-Modified-Since": "x"}, "If-Modified-Since"),
        ("PUT", "/plain?api-version=2021-05", {"If-Match": '"5"'}, "If-Match"),
        ("DELETE", "/plain?api-version=2021-05", {"If-Match": '"5"'}, "If-Match"),
        ("DELETE", "/plain?api-version=2021-05", {"If-Unmodified-Since": "x"}, "If-Unmodified"),
    ],
)
def test_a_parameter_or_header_without_an_effect_is_refused_by_its_name(
    administered: Administered, method: str, path: str, headers: dict[str, str], named: str
) -> None:
    status, text = administered.request(method, path, **headers)

    assert (status, named in text) == (400, True)
    assert administered.request("GET", "/plain?api-version=2021-05&enrich=False")[0] == 200


def test_a_page_is_of_what_was_asked_for(administered: Administered) -> None:
    path = "/$Resources/queues?api-version=2021-05&$skip={}&$top=2"

    status, text = administered.request("GET", path.format(1))
    _, last = administered.request("GET", path.format(len(NAMESPACE.queues) - 1))

    assert (status, text.count("<entry>"), 'rel="next"' in text) == (200, 2, True)
    assert (last.count("<entry>"), 'rel="next"' in last) == (1, False)

"""What the administration of a namespace does, by the synchronous SDK and the asynchronous one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError
from azure.servicebus.management import (
    CorrelationRuleFilter,
    EntityStatus,
    SqlRuleAction,
    SqlRuleFilter,
)

from tests.conformance.target import Target

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient
    from azure.servicebus.aio.management import (
        ServiceBusAdministrationClient as AsyncServiceBusAdministrationClient,
    )
    from azure.servicebus.management import ServiceBusAdministrationClient

# The SDK's own, where it reads rules.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Testing an element's truth value:DeprecationWarning"
)

SHARED: dict[str, Any] = {
    "default_message_time_to_live": timedelta(hours=2),
    "auto_delete_on_idle": timedelta(days=3),
    "enable_batched_operations": False,
    "user_metadata": "<what> & whose",
}
SENT_TO: dict[str, Any] = {
    "max_size_in_megabytes": 2048,
    "requires_duplicate_detection": True,
    "duplicate_detection_history_time_window": timedelta(minutes=3),
}
RECEIVED_FROM: dict[str, Any] = {
    "lock_duration": timedelta(seconds=20),
    "max_delivery_count": 4,
    "requires_session": True,
    "dead_lettering_on_message_expiration": True,
}
QUEUE = SHARED | SENT_TO | RECEIVED_FROM
TOPIC = SHARED | SENT_TO | {"support_ordering": True}
SUBSCRIPTION = SHARED | RECEIVED_FROM | {"dead_lettering_on_filter_evaluation_exceptions": False}


@pytest.fixture
async def administration_async(
    target: Target,
) -> AsyncIterator[AsyncServiceBusAdministrationClient]:
    async with target.bus_administration_async() as made:
        yield made


@pytest.fixture
def new_queue(
    administration: ServiceBusAdministrationClient, unused: Callable[[str], str]
) -> Iterator[str]:
    """Give the name of a queue that a test makes, and perhaps deletes."""
    name = unused("queue")
    yield name
    with suppress(ResourceNotFoundError):
        administration.delete_queue(name)


def described(properties: Any, names: dict[str, Any]) -> dict[str, Any]:
    return {name: properties[name] for name in names}


@pytest.mark.conformance("Service Bus administration", "queues: create, get, update, list, delete")
def test_a_queue_is_created_changed_listed_and_deleted(
    administration: ServiceBusAdministrationClient, new_queue: str
) -> None:
    made = administration.create_queue(new_queue, **QUEUE)
    assert described(made, QUEUE) == QUEUE
    made.max_delivery_count = 7
    made.default_message_time_to_live = timedelta(minutes=9)
    administration.update_queue(made)
    changed = {"max_delivery_count": 7, "default_message_time_to_live": timedelta(minutes=9)}
    assert described(administration.get_queue(new_queue), QUEUE) == QUEUE | changed
    assert new_queue in [one.name for one in administration.list_queues()]
    administration.delete_queue(new_queue)
    with pytest.raises(ResourceNotFoundError):
        administration.get_queue(new_queue)


@pytest.mark.conformance("Service Bus administration", "queues: create, get, update, list, delete")
async def test_a_queue_is_administered_asynchronously(
    administration_async: AsyncServiceBusAdministrationClient, new_queue: str
) -> None:
    made = await administration_async.create_queue(new_queue, **QUEUE)
    assert described(made, QUEUE) == QUEUE
    await administration_async.update_queue(made, max_delivery_count=7)
    assert (await administration_async.get_queue(new_queue)).max_delivery_count == 7
    assert new_queue in [one.name async for one in administration_async.list_queues()]
    await administration_async.delete_queue(new_queue)
    with pytest.raises(ResourceNotFoundError):
        await administration_async.get_queue(new_queue)


@pytest.mark.conformance("Service Bus administration", "topics: create, get, update, list, delete")
def test_a_topic_is_created_changed_listed_and_deleted(
    administration: ServiceBusAdministrationClient, unused: Callable[[str], str]
) -> None:
    name = unused("topic")
    made = administration.create_topic(name, **TOPIC)
    assert described(made, TOPIC) == TOPIC
    administration.update_topic(made, max_size_in_megabytes=3072)
    assert administration.get_topic(name).max_size_in_megabytes == 3072
    assert name in [one.name for one in administration.list_topics()]
    administration.delete_topic(name)
    with pytest.raises(ResourceNotFoundError):
        administration.get_topic(name)


@pytest.mark.conformance(
    "Service Bus administration", "subscriptions: create, get, update, list, delete"
)
def test_a_subscription_is_created_changed_listed_and_deleted(
    administration: ServiceBusAdministrationClient, topic: str
) -> None:
    made = administration.create_subscription(topic, "one", **SUBSCRIPTION)
    assert described(made, SUBSCRIPTION) == SUBSCRIPTION
    administration.update_subscription(topic, made, max_delivery_count=7)
    assert administration.get_subscription(topic, "one").max_delivery_count == 7
    assert [one.name for one in administration.list_subscriptions(topic)] == ["one"]
    administration.delete_subscription(topic, "one")
    with pytest.raises(ResourceNotFoundError):
        administration.get_subscription(topic, "one")


@pytest.mark.conformance("Service Bus administration", "rules: create, get, update, list, delete")
def test_a_rule_is_created_changed_listed_and_deleted(
    administration: ServiceBusAdministrationClient, topic: str
) -> None:
    administration.create_subscription(topic, "one")
    parameters: dict[str, str | int | float | bool | datetime | timedelta] = {
        "@text": "red",
        "@whole": 5,
        "@part": 0.5,
        "@flag": True,
        "@time": datetime(2020, 7, 5, 11, 12, 13, tzinfo=UTC),
        "@span": timedelta(hours=2),
    }
    made = administration.create_rule(
        topic,
        "one",
        "sql",
        filter=SqlRuleFilter("color = @text OR size = @whole", parameters),
        action=SqlRuleAction("SET seen = @flag", {"@flag": True}),
    )
    assert isinstance(made.filter, SqlRuleFilter)
    assert made.filter.sql_expression == "color = @text OR size = @whole"
    assert made.filter.parameters is not None
    assert made.filter.parameters["@whole"] == 5
    assert isinstance(made.action, SqlRuleAction)
    wanted = CorrelationRuleFilter(
        correlation_id="a", message_id="b", to="c", reply_to="d", label="e",
        session_id="f", reply_to_session_id="g", content_type="h", properties={"size": 5},
    )  # fmt: skip
    made.filter, made.action = wanted, None
    administration.update_rule(topic, "one", made)
    found = administration.get_rule(topic, "one", "sql")
    assert isinstance(found.filter, CorrelationRuleFilter)
    assert vars(found.filter) == vars(wanted)
    assert [one.name for one in administration.list_rules(topic, "one")] == ["$Default", "sql"]
    administration.delete_rule(topic, "one", "sql")
    with pytest.raises(ResourceNotFoundError):
        administration.get_rule(topic, "one", "sql")


@pytest.mark.conformance("Service Bus administration", "topics: create, get, update, list, delete")
@pytest.mark.conformance(
    "Service Bus administration", "subscriptions: create, get, update, list, delete"
)
@pytest.mark.conformance("Service Bus administration", "rules: create, get, update, list, delete")
async def test_a_topic_is_administered_asynchronously(
    administration_async: AsyncServiceBusAdministrationClient, unused: Callable[[str], str]
) -> None:
    client, topic = administration_async, unused("topic")
    made = await client.create_topic(topic, **TOPIC)
    assert described(made, TOPIC) == TOPIC
    await client.update_topic(made, max_size_in_megabytes=3072)
    assert (await client.get_topic(topic)).max_size_in_megabytes == 3072
    assert topic in [one.name async for one in client.list_topics()]

    subscription = await client.create_subscription(topic, "one", **SUBSCRIPTION)
    assert described(subscription, SUBSCRIPTION) == SUBSCRIPTION
    await client.update_subscription(topic, subscription, max_delivery_count=7)
    assert (await client.get_subscription(topic, "one")).max_delivery_count == 7
    assert [one.name async for one in client.list_subscriptions(topic)] == ["one"]

    rule = await client.create_rule(topic, "one", "sql", filter=SqlRuleFilter("a = 1"))
    await client.update_rule(topic, "one", rule, filter=SqlRuleFilter("a = 2"))
    found = await client.get_rule(topic, "one", "sql")
    assert isinstance(found.filter, SqlRuleFilter)
    assert found.filter.sql_expression == "a = 2"
    assert [one.name async for one in client.list_rules(topic, "one")] == ["$Default", "sql"]
    await client.delete_rule(topic, "one", "sql")
    await client.delete_subscription(topic, "one")
    await client.delete_topic(topic)
    with pytest.raises(ResourceNotFoundError):
        await client.get_topic(topic)


@pytest.mark.conformance("Service Bus administration", "runtime properties")
async def test_what_is_in_entities_is_counted(
    client: ServiceBusClient, administration: ServiceBusAdministrationClient, topic: str
) -> None:
    administration.create_subscription(topic, "one")
    async with client.get_topic_sender(topic) as sender:
        await sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
        await sender.schedule_messages(
            ServiceBusMessage("later"), datetime.now(UTC) + timedelta(hours=1)
        )
    async with client.get_subscription_receiver(topic, "one") as receiver:
        (message,) = await receiver.receive_messages(1, max_wait_time=30)
        await receiver.dead_letter_message(message, reason="reason")
    found = administration.get_subscription_runtime_properties(topic, "one")
    assert (found.total_message_count, found.active_message_count) == (2, 1)
    assert found.dead_letter_message_count == 1
    of_topic = administration.get_topic_runtime_properties(topic)
    assert (of_topic.subscription_count, of_topic.scheduled_message_count) == (1, 1)
    assert of_topic.size_in_bytes


@pytest.mark.conformance("Service Bus administration", "namespace properties")
def test_the_namespace_is_described(
    target: Target, administration: ServiceBusAdministrationClient
) -> None:
    found = administration.get_namespace_properties()
    assert found.name == target.namespace.partition(".")[0]
    assert (found.messaging_sku, found.namespace_type) == ("Standard", "Messaging")


@pytest.mark.conformance("Service Bus administration", "a status refuses senders or receivers")
async def test_a_disabled_queue_is_neither_sent_to_nor_received_from(
    target: Target, administration: ServiceBusAdministrationClient, queue: str
) -> None:
    found = administration.get_queue(queue)
    async with target.service_bus_async(retry_total=0) as client:
        administration.update_queue(found, status=EntityStatus.SEND_DISABLED)
        with pytest.raises(ServiceBusError):
            await client.get_queue_sender(queue).send_messages(ServiceBusMessage("a"))
        administration.update_queue(found, status=EntityStatus.RECEIVE_DISABLED)
        async with client.get_queue_sender(queue) as sender:
            await sender.send_messages(ServiceBusMessage("a"))
        with pytest.raises(ServiceBusError):
            await client.get_queue_receiver(queue).receive_messages(1, max_wait_time=5)


@pytest.mark.conformance("Service Bus administration", "refuse what exists already")
def test_what_exists_is_not_created_again(
    administration: ServiceBusAdministrationClient, topic: str
) -> None:
    administration.create_subscription(topic, "one")
    with pytest.raises(ResourceExistsError):
        administration.create_topic(topic)
    with pytest.raises(ResourceExistsError):
        administration.create_subscription(topic, "one")
    with pytest.raises(ResourceExistsError):
        administration.create_rule(topic, "one", "$Default", filter=SqlRuleFilter("1 = 1"))


@pytest.mark.conformance("Service Bus administration", "refuse what does not exist")
def test_what_does_not_exist_is_not_found(
    administration: ServiceBusAdministrationClient, topic: str, unused: Callable[[str], str]
) -> None:
    missing = unused("missing")
    for call in (
        lambda: administration.get_queue(missing),
        lambda: administration.delete_queue(missing),
        lambda: administration.get_topic(missing),
        lambda: administration.create_subscription(missing, "one"),
        lambda: administration.get_subscription(topic, missing),
        lambda: administration.create_rule(topic, missing, "rule", filter=SqlRuleFilter("1 = 1")),
    ):
        with pytest.raises(ResourceNotFoundError):
            call()


@pytest.mark.conformance("Service Bus administration", "refuse values beyond Azure's limits")
@pytest.mark.parametrize(
    "properties",
    [
        {"lock_duration": timedelta(minutes=6)},
        {"max_delivery_count": 0},
        {"max_size_in_megabytes": 1000},
        {"duplicate_detection_history_time_window": timedelta(days=8)},
        {"auto_delete_on_idle": timedelta(minutes=4)},
        {"max_message_size_in_kilobytes": 2048},
        {"user_metadata": "x" * 1025},
        {"forward_to": "nowhere-at-all"},
    ],
    ids=lambda properties: next(iter(properties)),
)
def test_a_value_beyond_a_limit_is_refused(
    administration: ServiceBusAdministrationClient, new_queue: str, properties: dict[str, Any]
) -> None:
    with pytest.raises(HttpResponseError) as refused:
        administration.create_queue(new_queue, **properties)
    assert refused.value.status_code is not None
    assert 400 <= refused.value.status_code < 500


@pytest.mark.conformance("Service Bus administration", "refuse to change what is decided once")
def test_what_is_decided_once_is_not_changed(
    administration: ServiceBusAdministrationClient, queue: str
) -> None:
    found = administration.get_queue(queue)
    for change in ({"requires_session": True}, {"requires_duplicate_detection": True}):
        with pytest.raises(HttpResponseError) as refused:
            administration.update_queue(found, **change)
        assert refused.value.status_code == 400


@pytest.mark.conformance("Service Bus administration", "refused without a right")
def test_a_caller_without_a_right_is_refused(target: Target) -> None:
    with (
        target.bus_administration(caller="stranger") as client,
        pytest.raises(ClientAuthenticationError),
    ):
        client.get_queue("queues")

"""Clients of the bus, and entities that one test has for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.target import Target

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient
    from azure.servicebus.management import ServiceBusAdministrationClient


@pytest.fixture
async def client(target: Target) -> AsyncIterator[ServiceBusClient]:
    async with target.service_bus_async() as made:
        yield made


@pytest.fixture
def administration(target: Target) -> Iterator[ServiceBusAdministrationClient]:
    with target.bus_administration() as made:
        yield made


@pytest.fixture
def make_topic(
    administration: ServiceBusAdministrationClient, unused: Callable[[str], str]
) -> Iterator[Callable[..., str]]:
    """Give a maker of topics without subscriptions; properties are the SDK's."""
    made: list[str] = []

    def make(**properties: Any) -> str:
        made.append(unused("topic"))
        administration.create_topic(made[-1], **properties)
        return made[-1]

    yield make
    for name in made:
        administration.delete_topic(name)


@pytest.fixture
def topic(make_topic: Callable[..., str]) -> str:
    """Give a topic with the properties that Azure gives one."""
    return make_topic()


@pytest.fixture
def queue(
    administration: ServiceBusAdministrationClient, unused: Callable[[str], str]
) -> Iterator[str]:
    """Give a queue with the properties that Azure gives one."""
    name = unused("queue")
    administration.create_queue(name)
    yield name
    administration.delete_queue(name)

"""Clients of the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.conformance.target import Target

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient


@pytest.fixture
async def client(target: Target) -> AsyncIterator[ServiceBusClient]:
    async with target.service_bus_async() as made:
        yield made

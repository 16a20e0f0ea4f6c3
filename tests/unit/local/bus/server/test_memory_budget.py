from __future__ import annotations

import pytest

from local.bus.amqp.errors import RESOURCE_LIMIT, AmqpError
from local.bus.server.memory_budget import MemoryBudget


def test_what_is_above_the_limit_is_refused_and_not_counted() -> None:
    budget = MemoryBudget(10)
    budget.reserve(10)
    with pytest.raises(AmqpError) as refused:
        budget.reserve(1)
    assert refused.value.condition == RESOURCE_LIMIT
    assert budget.held == 10
    budget.release(4)
    budget.reserve(4)

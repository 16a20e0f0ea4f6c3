"""A trigger that only waits as long as a partner would take, as SAMPLE_WAITS says.

SAMPLE_WAITS is `{"seconds": n, "every": n, "slow": n}`: each message waits `seconds`, every so
many-th one `slow`. With SAMPLE_BATCH it takes batches of up to so many, and works on them side by
side.
"""

import asyncio
import json
import os
from itertools import count
from typing import List  # noqa: UP035

import azure.functions as func

app = func.FunctionApp()
waits = json.loads(os.environ["SAMPLE_WAITS"])
numbers = count(1)


async def wait() -> None:
    """Wait as long as the next answer takes."""
    is_slow = next(numbers) % waits["every"] == 0
    await asyncio.sleep(waits["slow"] if is_slow else waits["seconds"])


if largest := int(os.environ.get("SAMPLE_BATCH", "0")):

    @app.service_bus_queue_trigger(
        arg_name="messages",
        queue_name="%RELAY_QUEUE_MESSAGES%",
        connection="RELAY_BUS",
        data_type=func.DataType.BINARY,
        cardinality=func.Cardinality.MANY,
        max_message_batch_size=largest,
    )
    # The worker's library takes the generics of `typing` alone.
    async def take_many(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006
        """Take a batch."""
        await asyncio.gather(*(wait() for _ in messages))

else:

    @app.service_bus_queue_trigger(
        arg_name="message",
        queue_name="%RELAY_QUEUE_MESSAGES%",
        connection="RELAY_BUS",
        data_type=func.DataType.BINARY,
    )
    async def take(message: func.ServiceBusMessage) -> None:
        """Take one message."""
        del message
        await wait()

"""The least that a receiver with receipts does by these SDKs: a post, and a share of a send.

It posts a body as it is, opens and signs nothing, and decides nothing; the receipts that wait go
together in one message. SAMPLE_PARTNER is the partner's secret.
"""

import json
import os
from datetime import UTC, datetime
from importlib import import_module

import aiohttp
import azure.functions as func
from azure.servicebus import ServiceBusMessage
from sdks import Together, queue_sender

# As the relay does: azure-functions tries formats that the times of the host never have.
import_module("message_times").read_at_once()

app = func.FunctionApp()
partner = json.loads(os.environ["SAMPLE_PARTNER"])["url"]
sender = queue_sender("RELAY_IDENTITY_RECEIVER_BUS", "RELAY_QUEUE_RECEIPTS")
sessions: list[aiohttp.ClientSession] = []


def session() -> aiohttp.ClientSession:
    """Return the one session, which can only be made once the worker's loop runs."""
    if not sessions:
        sessions.append(aiohttp.ClientSession())
    return sessions[0]


async def send_all(receipts: list[str]) -> None:
    """Send receipts as one message, a line each."""
    await sender.send_messages(ServiceBusMessage("\n".join(receipts)))


receipts = Together(send_all)


@app.service_bus_queue_trigger(
    arg_name="message",
    queue_name="%RELAY_QUEUE_MESSAGES%",
    connection="RELAY_BUS",
    data_type=func.DataType.BINARY,
)
async def receive(message: func.ServiceBusMessage) -> None:
    """Post a message to the partner, and send its receipt."""
    async with session().post(partner, data=message.get_body()) as answer:
        await answer.read()
    now = datetime.now(UTC).isoformat()
    await receipts.run(json.dumps({"id": message.message_id, "state": "delivered", "at": now}))

"""The least that a sender with a ledger does by these SDKs: an insert, a send and an update.

What waits goes together, in one statement or one send; the row's two writes share transactions with
those of other messages. It seals, checks and logs nothing, so no sender of these libraries is much
faster. SAMPLE_DATABASE is the path of its own SQLite database.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import azure.functions as func
import sqlalchemy as sa
from azure.servicebus import ServiceBusMessage
from sdks import Together, queue_sender

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
sender = queue_sender("RELAY_IDENTITY_SENDER_BUS", "RELAY_QUEUE_MESSAGES")
engine = sa.create_engine(f"sqlite:///{os.environ['SAMPLE_DATABASE']}")
rows = sa.Table(
    "messages",
    sa.MetaData(),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text),
)
insert = rows.insert().values(id=sa.bindparam("key"), state="accepted")
update = rows.update().where(rows.c.id == sa.bindparam("key")).values(state="queued")
writer = ThreadPoolExecutor(1)


@sa.event.listens_for(engine, "connect")
def prepare(connection: object, _: object) -> None:
    """Write as the relay's ledger does: a commit does not wait for the disk."""
    connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]
    connection.execute("PRAGMA synchronous=NORMAL")  # type: ignore[attr-defined]


rows.metadata.create_all(engine)


def commit(changes: list[tuple[sa.Executable, str]]) -> None:
    """Write all inserts by one statement, and all updates by another, in one transaction."""
    with engine.begin() as connection:
        for statement in (insert, update):
            if keys := [{"key": key} for one, key in changes if one is statement]:
                connection.execute(statement, keys)


async def write_all(changes: list[tuple[sa.Executable, str]]) -> None:
    """Write on the one thread that has a connection."""
    await asyncio.get_running_loop().run_in_executor(writer, commit, changes)


async def send_all(messages: list[ServiceBusMessage]) -> None:
    """Send messages as one batch."""
    await sender.send_messages(messages)


writes, sends = Together(write_all), Together(send_all)


@app.route("messages", methods=["POST"])
async def send(req: func.HttpRequest) -> func.HttpResponse:
    """Put a payload on the queue, with a row of it."""
    key = str(uuid4())
    await writes.run((insert, key))
    await sends.run(ServiceBusMessage(req.get_body(), message_id=key))
    await writes.run((update, key))
    return func.HttpResponse(status_code=202)

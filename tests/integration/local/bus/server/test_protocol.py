"""What the bus answers to clients that are wrong, hostile, or gone: and that it goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.bus.amqp import performatives as amqp
from local.bus.amqp.encoding import encode
from local.bus.amqp.frames import AMQP, EMPTY_FRAME, HEADER, SASL, Frame, frame
from local.bus.amqp.message import encode_response
from local.bus.amqp.values import Described, Int, Symbol, ULong, Value
from local.bus.broker.namespace import Namespace
from local.bus.server.connection import BusServices, Connection
from local.bus.server.incoming import CREDIT
from local.bus.server.memory_budget import MAX_HELD_BYTES
from local.bus.server.session import HANDLE_MAX, MAX_LINKS
from local.deployment.resources import NamespaceSpec, QueueSpec

if TYPE_CHECKING:
    from tests.amqp import Raw
    from tests.integration.local.bus.conftest import Bus, Grants

Connect = Callable[[], Awaitable["Raw"]]

PLAIN_SOURCE = Described(ULong(0x28), ["plain"])
PLAIN_TARGET = Described(ULong(0x29), ["plain"])
DATA = encode(Described(ULong(0x75), b"body"))


def condition(error: Described | None) -> str:
    assert error is not None
    assert isinstance(error.value, list)
    assert len(error.value) == 3
    return str(error.value[0])


async def works(connect: Connect) -> None:
    """Prove that the bus serves the next client."""
    client = await connect()
    client.hello()
    await client.until(amqp.Begin)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HEAD / HTTP/1.1\r\n\r\n",
        bytes(range(256)) * 64,
        b"AMQP\x02\x01\x00\x00",  # TLS inside the stream
        HEADER[AMQP],  # no SASL
        HEADER[SASL] + HEADER[SASL],
        HEADER[SASL] + b"\xff\xff\xff\xff\x02\x01\x00\x00",
        HEADER[SASL] + frame(SASL, 0, b"\x00\x53\x41\xc0\x00"),
    ],
)
async def test_garbage_ends_its_own_connection_only(connect: Connect, garbage: bytes) -> None:
    client = await connect()
    client.writer.write(garbage)
    assert not any(isinstance(one, amqp.Open) for one in await client.rest())
    await works(connect)


@pytest.fixture
def connect(raw: Connect) -> Connect:
    return raw


@pytest.mark.parametrize("mechanism", ["ANONYMOUS", "MSSBCBS", "EXTERNAL"])
async def test_mechanisms_that_only_lead_to_cbs(connect: Connect, mechanism: str) -> None:
    client = await connect()
    client.hello(mechanism)
    offered = await client.until(amqp.SaslMechanisms)
    assert set(offered.mechanisms.items) == {"MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"}
    assert (await client.until(amqp.SaslOutcome)).code == 0
    await client.until(amqp.Begin)
    client.attach(0, "plain", receives=False)
    assert (await client.until(amqp.Attach)).target is None
    assert condition((await client.until(amqp.Detach)).error) == "amqp:unauthorized-access"


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [("PLAIN", b"\0all\0wrong"), ("PLAIN", b"\xff"), ("PLAIN", None), ("GSSAPI", None)],
)
async def test_mechanisms_that_fail(
    connect: Connect, mechanism: str, response: bytes | None
) -> None:
    client = await connect()
    client.sign_in(mechanism, response)
    assert (await client.until(amqp.SaslOutcome)).code == 1
    assert await client.rest() == []


async def test_plain_gives_the_rights_of_its_rule(connect: Connect) -> None:
    client = await connect()
    client.hello("PLAIN", b"\0send\0a2V5IG9mIHRoZSB0ZXN0cw==")
    client.attach(0, "plain", receives=False)
    client.attach(1, "plain", receives=True)
    assert (await client.until(amqp.Attach)).target is not None
    assert (await client.until(amqp.Attach)).source is None


@pytest.mark.parametrize(
    "address",
    [
        "plain",
        "/plain",
        "PLAIN",
        "amqps://host:5671/plain",
        "plain/$deadletterqueue",
        "plain/$Management",
    ],
)
async def test_addresses(bus: Bus, connect: Connect, address: str) -> None:
    client = await connect()
    client.hello()
    client.put_token("sb://host/plain", "jwt-of-root")
    await client.until(amqp.Transfer)
    client.attach(2, address, receives=True)
    source = (await client.until(amqp.Attach)).source
    assert source == Described(ULong(0x28), [address])


async def test_a_token_covers_its_audience_only(connect: Connect) -> None:
    client = await connect()
    client.hello()
    client.put_token("sb://host/plain", "jwt-of-root")
    await client.until(amqp.Transfer)
    client.attach(2, "other", receives=True)
    assert condition((await client.until(amqp.Detach)).error) == "amqp:unauthorized-access"


@pytest.mark.parametrize(
    ("audience", "token", "operation"),
    [("plain", "forged", "put-token"), ("plain", "jwt-of-root", "delete"), (5, "t", "put-token")],
)
async def test_refused_tokens_give_nothing(
    connect: Connect, audience: str, token: str, operation: str
) -> None:
    client = await connect()
    client.hello()
    client.put_token(audience, token, operation)
    await client.until(amqp.Transfer)
    client.attach(2, "plain", receives=True)
    assert condition((await client.until(amqp.Detach)).error) == "amqp:unauthorized-access"


async def ready(connect: Connect) -> Raw:
    """Give a client with a token and a sender to queue `plain` on handle 2."""
    client = await connect()
    client.hello()
    client.put_token("sb://host/", "jwt-of-root")
    await client.until(amqp.Transfer)
    client.attach(2, "plain", receives=False)
    assert (await client.until(amqp.Attach)).max_message_size == 256 * 1024
    await client.until(amqp.Flow)
    return client


async def test_an_endless_message_is_not_kept(bus: Bus, connect: Connect) -> None:
    client = await ready(connect)
    for _ in range(40):
        client.send(amqp.Transfer(2, 7, b"t", 0, more=True), b"x" * 60_000)
        await client.writer.drain()
    (connection,) = bus.server._connections
    assert connection.memory.held <= 256 * 1024
    client.send(amqp.Transfer(2), b"x")
    state = (await client.until(amqp.Disposition)).state
    assert state is not None
    assert state.descriptor == 0x25
    assert isinstance(state.value, list)
    error = state.value[0]
    assert isinstance(error, Described)
    assert condition(error) == "amqp:link:message-size-exceeded"
    assert connection.memory.held == 0


async def test_an_aborted_message_is_forgotten(bus: Bus, connect: Connect) -> None:
    client = await ready(connect)
    client.send(amqp.Transfer(2, 1, b"t", 0, more=True), DATA)
    client.send(amqp.Transfer(2, aborted=True))
    client.send(amqp.Transfer(2, 2, b"u", 0), DATA)
    assert (await client.until(amqp.Disposition)).first == 2
    assert bus.server.state()["plain"].active == 1


async def test_a_malformed_message_is_rejected_and_the_link_lives(
    bus: Bus, connect: Connect
) -> None:
    client = await ready(connect)
    for number, message_format in ((1, 0), (2, 0x80013700)):
        client.send(amqp.Transfer(2, number, b"t", message_format), b"\x00\x53\x99")
        state = (await client.until(amqp.Disposition)).state
        assert state is not None
        assert state.descriptor == 0x25
    client.send(amqp.Transfer(2, 3, b"t", 0, settled=True), DATA)
    client.send(amqp.Flow(4, 1000, 4, 1000, 2, 3, echo=True))
    assert (await client.until(amqp.Flow)).link_credit == CREDIT - 3
    assert bus.server.state()["plain"].active == 1


async def test_credit_is_given_again_before_it_ends(bus: Bus, connect: Connect) -> None:
    client = await ready(connect)
    for number in range(3 * CREDIT):
        client.send(amqp.Transfer(2, number, b"t", 0, settled=True), DATA)
    await client.writer.drain()
    while ((await client.until(amqp.Flow)).delivery_count or 0) < 2 * CREDIT:
        pass
    client.send(amqp.Flow(1, 1000, 1, 1000, 2, echo=True))
    while (await client.until(amqp.Flow)).delivery_count != 3 * CREDIT:
        pass
    assert bus.server.state()["plain"].active == 3 * CREDIT


@pytest.mark.parametrize(
    "wrong",
    [
        amqp.Transfer(99, 0, b"t", 0),
        amqp.Detach(99),
        amqp.Flow(0, 1, 0, 1, 99),
        amqp.Transfer(1, 0, b"t", 0),
        amqp.Transfer(2, None, b"t", 0),
        amqp.Open("again"),
        amqp.SaslOutcome(0),
        amqp.Begin(None, 0, 1, 1),
        amqp.Attach("again", 2, amqp.SENDER),
        amqp.Attach("beyond", HANDLE_MAX + 1, amqp.SENDER),
    ],
)
async def test_breaches_of_the_protocol_close_with_a_reason(
    connect: Connect, wrong: amqp.Performative
) -> None:
    client = await ready(connect)
    client.writer.write(frame(AMQP, 0, amqp.write(wrong)))
    assert condition((await client.until(amqp.Close)).error).startswith("amqp:")
    assert await client.rest() == []
    await works(connect)


@pytest.mark.parametrize(
    ("terminus", "expected"),
    [
        (Described(ULong(0x29), ["nowhere"]), "amqp:not-found"),
        (Described(ULong(0x29), ["plain/$DeadLetterQueue"]), "amqp:not-allowed"),
        (Described(ULong(0x29), [None]), "amqp:not-implemented"),
        (Described(ULong(0x29), {}), "amqp:not-implemented"),
        (Described(ULong(0x31), [Symbol("x")]), "amqp:not-implemented"),
        (None, "amqp:not-implemented"),
    ],
)
async def test_refused_links_and_the_handle_afterwards(
    connect: Connect, terminus: Described | None, expected: str
) -> None:
    client = await ready(connect)
    client.send(amqp.Attach("x", 3, amqp.SENDER, target=terminus, initial_delivery_count=0))
    answer = await client.until(amqp.Attach)
    assert (answer.source, answer.target) == (None, None)
    refusal = await client.until(amqp.Detach)
    assert (refusal.closed, condition(refusal.error)) == (True, expected)
    client.send(amqp.Detach(3, closed=True))  # not answered: it answers the bus
    client.attach(3, "plain", receives=False)
    assert isinstance(await client.read(), amqp.Attach)


async def test_thousands_of_links_are_refused_beyond_a_bound(bus: Bus, connect: Connect) -> None:
    client = await ready(connect)
    begun = MAX_LINKS // HANDLE_MAX + 1
    refused = 0
    for channel in range(1, begun + 1):
        client.send(amqp.Begin(None, 0, 1000, 1000), channel=channel)
        for handle in range(HANDLE_MAX + 1):
            target = Described(ULong(0x29), ["plain"])
            attach = amqp.Attach(f"{channel}.{handle}", handle, amqp.SENDER, target=target)
            client.send(attach, channel=channel)
        await client.writer.drain()
    for _ in range(begun * (HANDLE_MAX + 1)):
        refused += (await client.until(amqp.Attach)).target is None
    (connection,) = bus.server._connections
    assert connection.links == MAX_LINKS
    assert refused == begun * (HANDLE_MAX + 1) - (MAX_LINKS - 3)
    client.close()
    await works(connect)


async def test_a_client_that_does_not_read_is_not_written_to_for_ever(
    bus: Bus, connect: Connect
) -> None:
    bus.put("plain", *[b"x" * 100_000] * 200)
    client = await ready(connect)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    client.attach(3, "plain", receives=True)
    client.send(amqp.Flow(1, 2**31 - 1, 1, 1000, 3, 0, 2**31))
    (connection,) = bus.server._connections
    for _ in range(500):
        if not connection.is_writable:
            break
        await asyncio.sleep(0.01)
    assert bus.server.state()["plain"].active > 50
    assert len(connection._output) < 200_000
    await works(connect)


async def test_large_messages_keep_to_the_frame_size_and_window(bus: Bus, connect: Connect) -> None:
    bus.put("plain", b"x" * 10_000)
    client = await connect()
    client.writer.write(HEADER[SASL])
    client.send(amqp.SaslInit(Symbol("ANONYMOUS")))
    client.writer.write(HEADER[AMQP])
    client.send(amqp.Open("small", max_frame_size=1024))
    client.send(amqp.Begin(None, 0, 4, 1000))
    client.put_token("sb://host/", "jwt-of-root")
    await client.until(amqp.Transfer)
    client.attach(2, "plain", receives=True)
    client.send(amqp.Flow(2, 4, 1, 1000, 2, 0, 5))
    sizes, last = [], False
    while not last:
        item = await client.item()
        assert item is not None
        performative, payload = amqp.read(item.body)  # type: ignore[union-attr]
        if isinstance(performative, amqp.Transfer):
            sizes.append(len(payload))
            last = not performative.more
            assert 8 + len(item.body) <= 1024  # type: ignore[union-attr]
            if len(sizes) % 4 == 0:
                client.send(amqp.Flow(2 + len(sizes), 4, 1, 1000))
    assert sum(sizes) > 10_000


async def test_answers_without_credit_are_not_kept_for_ever(bus: Bus, connect: Connect) -> None:
    bus.put("plain", *[b"x" * 200_000] * 5)
    client = await ready(connect)
    client.attach(3, "plain/$management", receives=False)
    client.attach(4, "plain/$management", receives=True)
    peek = encode_response(
        None,
        {"operation": "com.microsoft:peek-message"},
        {"from-sequence-number": 0, "message-count": Int(9)},
    )
    for number in range(20):
        client.send(amqp.Transfer(3, number, b"t", 0), peek)
    answers = [(await client.until(amqp.Disposition)).state for _ in range(20)]
    refused = [one.value[0] for one in answers if one and isinstance(one.value, list) and one.value]
    assert refused
    assert {condition(one) for one in refused if isinstance(one, Described)} == {
        "amqp:resource-limit-exceeded"
    }
    (connection,) = bus.server._connections
    assert connection.memory.held <= MAX_HELD_BYTES
    client.send(amqp.Flow(3, 5000, 20, 1000, 4, 0, 100))
    for _ in range(20 - len(refused)):
        while (await client.until(amqp.Transfer)).more:
            pass
    assert connection.memory.held == 0


async def test_unsettled_messages_are_bounded_and_go_on_when_settled(
    bus: Bus, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.bus.server.unsettled.MAX_UNSETTLED", 2)
    bus.put("plain", b"a", b"b", b"c")
    client = await ready(connect)
    client.attach(3, "plain", receives=True)
    client.send(amqp.Flow(1, 1000, 1, 1000, 3, 0, 9, echo=True))
    first = (await client.until(amqp.Transfer)).delivery_id or 0
    await client.until(amqp.Flow)
    assert bus.server.state()["plain"].active == 1
    client.send(amqp.Disposition(amqp.RECEIVER, first, state=Described(ULong(0x24), [])))
    assert (await client.until(amqp.Transfer)).delivery_id == first + 2


async def test_drain_is_answered_and_ends_the_credit(bus: Bus, connect: Connect) -> None:
    bus.put("plain", b"a")
    client = await ready(connect)
    client.attach(3, "plain", receives=True)
    client.send(amqp.Flow(1, 1000, 1, 1000, 3, 0, 10))
    client.send(amqp.Flow(1, 1000, 1, 1000, 3, 0, 10, drain=True))
    await client.until(amqp.Transfer)
    flow = await client.until(amqp.Flow)
    assert (flow.delivery_count, flow.link_credit, flow.drain) == (10, 0, True)
    bus.put("plain", b"b")
    assert bus.server.state()["plain"].active == 1


async def test_outcomes_of_other_clients_than_azures(bus: Bus, connect: Connect) -> None:
    bus.put("plain", b"a", b"b", b"c")
    client = await ready(connect)
    client.attach(3, "plain", receives=True)
    client.send(amqp.Flow(1, 1000, 1, 1000, 3, 0, 3))
    first = (await client.until(amqp.Transfer)).delivery_id or 0
    error = Described(ULong(0x1D), [Symbol("my:reason"), "why", None])
    received = Described(ULong(0x23), [])
    for disposition in (
        amqp.Disposition(amqp.RECEIVER, first, first + 2, state=received),
        amqp.Disposition(amqp.RECEIVER, first, state=Described(ULong(0x25), [error])),
        amqp.Disposition(amqp.RECEIVER, first + 1, 2**32 - 1, state=Described(ULong(0x24), [])),
    ):
        client.send(disposition)
    answers = [await client.until(amqp.Disposition) for _ in range(2)]
    assert [(one.first, one.last) for one in answers] == [(first, first), (first + 1, first + 2)]
    assert all(one.settled for one in answers)
    assert bus.server.state()["plain"].dead_lettered == 1
    assert bus.server.state()["plain"].locked == 0


async def test_a_client_hears_from_the_bus_as_often_as_it_wants(connect: Connect) -> None:
    client = await connect()
    client.writer.write(HEADER[SASL])
    client.send(amqp.SaslInit(Symbol("ANONYMOUS")))
    client.writer.write(HEADER[AMQP])
    client.send(amqp.Open("quiet", idle_time_out=200))
    assert (await client.until(amqp.Open)).idle_time_out == 120_000
    assert await client.item() == Frame(AMQP, 0, b"")


async def test_a_silent_client_is_closed(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.bus.server.liveness.IDLE_TIMEOUT_SECONDS", 0.1)
    client = await connect()
    client.hello()
    assert condition((await client.until(amqp.Close)).error) == "amqp:connection:forced"
    assert await client.rest() == []


async def test_a_frame_that_never_ends_is_silence(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.bus.server.liveness.IDLE_TIMEOUT_SECONDS", 0.3)
    client = await connect()
    client.hello()
    await client.until(amqp.Begin)
    client.writer.write(b"\x00\x00\xff\xff\x02\x00\x00\x00")
    reading = asyncio.create_task(client.until(amqp.Close))
    while not reading.done():
        client.writer.write(b"x")
        await asyncio.sleep(0.05)
    assert condition(reading.result().error) == "amqp:connection:forced"


async def test_a_connection_without_links_is_closed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.bus.server.liveness.LINKLESS_SECONDS", 1.5)
    linked = await ready(connect)
    client = await connect()
    client.hello()
    client.put_token("sb://h/plain", "jwt-of-forger")
    reading = asyncio.create_task(client.until(amqp.Close))
    while not reading.done():
        client.writer.write(EMPTY_FRAME)
        linked.writer.write(EMPTY_FRAME)
        await asyncio.sleep(0.05)
    assert condition(reading.result().error) == "amqp:connection:forced"
    linked.send(amqp.Transfer(2, 1, b"t", 0), DATA)
    assert (await linked.until(amqp.Disposition)).settled


async def test_a_half_open_connection_is_dropped(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.bus.server.liveness.HANDSHAKE_SECONDS", 0.1)
    client = await connect()
    client.writer.write(HEADER[SASL][:5])
    assert await client.item() is None


async def test_connections_beyond_the_limit_are_refused_with_the_reason_and_then_dropped(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.bus.server.server.MAX_CONNECTIONS", 1)
    first = await connect()
    first.hello()
    await first.until(amqp.Begin)
    for _ in range(3):
        refused = await connect()
        refused.hello()
        error = (await refused.until(amqp.Close)).error
        assert condition(error) == "amqp:resource-limit-exceeded"
        assert await refused.rest() == []
    monkeypatch.setattr("local.bus.server.connection.MAX_REFUSED", 0)
    dropped = await connect()
    dropped.hello()
    assert await dropped.item() is None
    first.send(amqp.End())
    await first.until(amqp.End)


async def test_debug_logs_have_names_and_nothing_more(
    bus: Bus, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "local.bus")
    client = await ready(connect)
    client.send(amqp.Transfer(2, 1, b"t", 0), encode(Described(ULong(0x75), b"planted-body")))
    await client.until(amqp.Disposition)
    client.send(amqp.Transfer(2, 2, b"t", 0), b"planted-garbage")
    await client.until(amqp.Disposition)
    assert "attach plain" in caplog.text
    assert "planted" not in caplog.text
    assert "jwt-of" not in caplog.text


class Sink(asyncio.Transport):
    """A transport to nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: object) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


small = st.integers(0, 4) | st.sampled_from([2**16 - 1, 2**31, 2**32 - 1])
maybe = st.none() | small
shapes: tuple[Value, ...] = ([], [None], [Described(ULong(0x1D), [])], {}, [True, True, {1: 2}])
outcomes = st.builds(Described, st.integers(0x23, 0x28).map(ULong), st.sampled_from(shapes))
termini = st.builds(
    Described,
    st.sampled_from([ULong(0x28), ULong(0x29), ULong(0x30)]),
    st.sampled_from(["plain", "$cbs", "plain/$management", "retries", "nowhere"]).map(
        lambda a: [a]
    ),
)
bodies: st.SearchStrategy[Value] = st.sampled_from([None, "jwt-of-root", {}, {"lock-tokens": []}])
payloads = (
    st.just(DATA)
    | st.binary(max_size=40)
    | st.builds(
        lambda name, body: (
            encode(Described(ULong(0x74), {"operation": name, "name": "sb://h/"}))
            + encode(Described(ULong(0x77), body))
        ),
        st.sampled_from(
            ["put-token", "com.microsoft:peek-message", "com.microsoft:renew-lock", "x"]
        ),
        bodies,
    )
)
performatives = st.one_of(
    st.builds(amqp.Begin, st.none() | st.integers(0, 4), small, small, small),
    st.builds(
        amqp.Attach, st.just("l"), small, st.booleans(), st.integers(0, 2), st.integers(0, 1),
        st.none() | termini, st.none() | termini,
    ),
    st.builds(
        amqp.Flow, maybe, small, small, small, maybe, maybe, maybe, maybe, st.booleans(),
        st.booleans(),
    ),
    st.builds(
        amqp.Transfer, small, maybe, st.none() | st.binary(max_size=4),
        st.sampled_from([None, 0, 0x80013700]), st.none() | st.booleans(), st.booleans(),
        aborted=st.booleans(),
    ),
    st.builds(amqp.Disposition, st.booleans(), small, maybe, st.booleans(), st.none() | outcomes),
    st.builds(amqp.Detach, small, st.booleans()),
    st.builds(amqp.End),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(performatives, payloads, st.integers(0, 2)), max_size=30))
def test_no_sequence_of_frames_breaks_the_bus(
    services: BusServices,
    caplog: pytest.LogCaptureFixture,
    steps: list[tuple[amqp.Performative, bytes, int]],
) -> None:
    asyncio.run(play(services, steps))
    assert not caplog.records, "an error that no one had thought of"


async def play(services: BusServices, steps: list[tuple[amqp.Performative, bytes, int]]) -> None:
    connections: set[Connection] = set()
    connection, sink = Connection(services, connections, 1), Sink()
    connection.connection_made(sink)
    stream = [
        HEADER[SASL],
        frame(
            SASL, 0, amqp.write(amqp.SaslInit(Symbol("PLAIN"), b"\0all\0a2V5IG9mIHRoZSB0ZXN0cw=="))
        ),
        HEADER[AMQP],
        frame(AMQP, 0, amqp.write(amqp.Open("fuzz"))),
        frame(AMQP, 0, amqp.write(amqp.Begin(None, 0, 10, 10))),
        frame(AMQP, 0, amqp.write(amqp.Attach("a", 3, amqp.SENDER, target=PLAIN_TARGET))),
        frame(AMQP, 0, amqp.write(amqp.Attach("b", 4, amqp.RECEIVER, source=PLAIN_SOURCE))),
        frame(AMQP, 0, amqp.write(amqp.Transfer(3, 0, b"t", 0)) + DATA) * 3,
        *(frame(AMQP, channel, amqp.write(one) + payload) for one, payload, channel in steps),
    ]
    for data in stream:
        connection.data_received(data)
    connection.connection_lost(None)
    assert not connections
    assert connection.links == connection.memory.held == 0
    assert all(not consumers for consumers in services.namespace._consumers.values())


@pytest.fixture
def services(grants: Grants) -> BusServices:
    queues = (QueueSpec("/q", "plain"), QueueSpec("/q", "retries", forward_to="plain"))
    spec = NamespaceSpec("/n", "n", "n", "Standard", local_auth=True, queues=queues)
    now = 1000.0
    return BusServices(Namespace(spec, lambda: now), grants, lambda: now)

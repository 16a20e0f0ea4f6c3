"""What is in a journal after the process that wrote it is gone, and after the file is damaged."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.bus.amqp.encoding import encode
from local.bus.amqp.errors import AmqpError
from local.bus.amqp.message import Message, parse
from local.bus.amqp.values import Described, Symbol, Timestamp, ULong, Value
from local.bus.broker.address import parse_address
from local.bus.broker.entry import QueueEntry
from local.bus.broker.journal import Journal, JournalError
from local.bus.broker.namespace import Namespace
from local.bus.broker.queue import Queue
from local.deployment.resources import NamespaceSpec, QueueSpec

QUEUES = (
    QueueSpec("/q", "Plain", lock_duration=timedelta(seconds=10), max_delivery_count=3),
    QueueSpec("/q", "unique", duplicate_window=timedelta(minutes=1)),
    QueueSpec("/q", "messages", forward_dead_letters_to="rejected", max_delivery_count=1),
    QueueSpec("/q", "rejected"),
    QueueSpec("/q", "retries", forward_to="messages"),
)
numbers = count()


def namespace_spec(*queues: QueueSpec) -> NamespaceSpec:
    return NamespaceSpec("/n", "n", "n", "Standard", local_auth=True, queues=queues)


def message(name: str, *, at: float | None = None, body: bytes = b"body") -> Message:
    annotations: dict[Value, Value] = {}
    if at is not None:
        annotations[Symbol("x-opt-scheduled-enqueue-time")] = Timestamp(int(at * 1000))
    return parse(
        encode(Described(ULong(0x72), annotations))
        + encode(Described(ULong(0x73), [name]))
        + encode(Described(ULong(0x74), {"traceparent": "t"}))
        + encode(Described(ULong(0x75), body))
    )


class Bus:
    """A namespace with a journal, and a clock that is a number."""

    def __init__(self, path: Path, *queues: QueueSpec, now: float = 1000.0) -> None:
        self.now = now
        self.journal = Journal(path)
        try:
            spec = namespace_spec(*(queues or QUEUES))
            self.namespace = Namespace(spec, lambda: self.now, journal=self.journal)
        except BaseException:
            self.journal.close()
            raise

    def queue(self, address: str) -> Queue:
        found = self.namespace.find(parse_address(address))
        assert found is not None
        return found

    def send(self, address: str, *messages: Message) -> list[int]:
        return self.namespace.send(self.queue(address), [(one, one.size) for one in messages])

    def receive(self, address: str) -> QueueEntry:
        entry = self.queue(address).receive(self.now)
        assert entry is not None
        return entry

    def lock(self, address: str) -> UUID:
        lock = self.receive(address).lock
        assert lock is not None
        return lock.token


@contextmanager
def opened(path: Path, *queues: QueueSpec, now: float = 1000.0) -> Iterator[Bus]:
    bus = Bus(path, *queues, now=now)
    try:
        yield bus
    finally:
        bus.journal.close()


def killed(bus: Bus) -> Path:
    """Give the files as they are if the process is killed now."""
    path = bus.journal.path
    to = path.with_name(f"killed-{next(numbers)}")
    for suffix in ("", "-wal"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            shutil.copy(file, to.with_name(to.name + suffix))
    return to


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bus" / "relay.sqlite3"


@pytest.fixture
def bus(path: Path) -> Iterator[Bus]:
    with opened(path) as bus:
        yield bus


def names(bus: Bus, address: str) -> list[str]:
    return [entry.message.message_id for entry in bus.queue(address).peek(0, 1000, bus.now)]


def test_every_state_survives(bus: Bus) -> None:
    bus.send("plain", message("deferred"), message("dead"), message("abandoned"), message("waits"))
    (scheduled,) = bus.send("plain", message("scheduled", at=2000.0))
    plain, dead = bus.queue("plain"), bus.queue("plain/$DeadLetterQueue")
    plain.defer(bus.lock("plain"), bus.now, {"n": 1})
    plain.dead_letter(bus.lock("plain"), bus.now, "why", "so")
    plain.abandon(bus.lock("plain"), bus.now)
    bus.journal.commit()
    with opened(killed(bus)) as again:
        assert sorted(again.queue("plain").store, key=number) == sorted(plain.store, key=number)
        assert list(again.queue("plain/$DeadLetterQueue").store) == list(dead.store)
        assert again.queue("plain").counts(1000.0) == plain.counts(1000.0)
        again.queue("plain").cancel([scheduled], 1000.0)


def number(entry: QueueEntry) -> int:
    return entry.sequence_number


def test_what_is_not_committed_is_not_there(bus: Bus) -> None:
    bus.send("plain", message("acknowledged"))
    bus.journal.commit()
    bus.send("plain", message("untold"))
    with opened(killed(bus)) as again:
        assert names(again, "plain") == ["acknowledged"]


def test_a_locked_message_is_there_again_and_its_delivery_counts(bus: Bus) -> None:
    bus.send("plain", message("x"))
    bus.receive("plain")
    bus.journal.commit()
    with opened(killed(bus)) as again:
        entry = again.receive("plain")
        assert (entry.message.message_id, entry.delivery_count) == ("x", 1)


def test_a_message_locked_for_the_last_time_is_dead_lettered_and_forwarded(bus: Bus) -> None:
    bus.send("messages", message("x"))
    bus.receive("messages")
    bus.journal.commit()
    with opened(killed(bus)) as again:
        again.namespace.advance()
        assert names(again, "messages") == []
        (entry,) = again.queue("rejected").store
        assert entry.dead_letter_source == "messages"


def test_a_renewed_lock_is_one_delivery(bus: Bus) -> None:
    bus.send("plain", message("x"))
    token = bus.lock("plain")
    bus.journal.commit()
    bus.queue("plain").renew(token, bus.now)
    bus.journal.commit()
    with opened(killed(bus)) as again:
        assert again.receive("plain").delivery_count == 1


def test_sequence_numbers_are_never_given_twice(bus: Bus) -> None:
    (first,) = bus.send("plain", message("x"))
    token = bus.lock("plain")
    bus.queue("plain").complete(token, bus.now)
    bus.journal.commit()
    with opened(killed(bus)) as again:
        assert again.send("plain", message("y")) == [first + 1]


def test_duplicates_are_known_until_their_window_ends(bus: Bus) -> None:
    bus.send("unique", message("x"))
    bus.queue("unique").take(bus.now)
    bus.journal.commit()
    with opened(killed(bus)) as again:
        again.send("unique", message("x"))
        assert names(again, "unique") == []
        again.now += 61
        again.send("unique", message("x"))
        assert names(again, "unique") == ["x"]
        again.journal.commit()
        rows = again.journal._database.execute("SELECT message_id, until FROM seen").fetchall()
        assert rows == [("x", 1121.0)]


def test_a_scheduled_message_becomes_due_while_nothing_runs_and_is_forwarded(bus: Bus) -> None:
    bus.send("retries", message("x", at=1060.0))
    bus.journal.commit()
    with opened(killed(bus), now=5000.0) as again:
        again.namespace.advance()
        assert (names(again, "retries"), names(again, "messages")) == ([], ["x"])


def test_one_commit_writes_all_or_nothing(bus: Bus) -> None:
    bus.send("retries", message("x"))
    bus.journal.commit()
    with opened(killed(bus)) as again:
        assert names(again, "messages") == ["x"]
        assert names(again, "retries") == []


@pytest.mark.parametrize("dead", [False, True])
def test_a_queue_that_is_gone_must_be_empty(path: Path, *, dead: bool) -> None:
    with opened(path) as bus:
        bus.send("plain", message("x"), message("y"))
        if dead:
            token = bus.lock("plain")
            bus.queue("plain").dead_letter(token, bus.now, None, None)
    with (
        pytest.raises(JournalError, match="plain with 2 messages") as refused,
        opened(path, *QUEUES[1:]),
    ):
        pass
    assert str(path) in str(refused.value)
    with opened(path) as bus:
        while bus.queue("plain").take(bus.now):
            pass
        while bus.queue("plain/$DeadLetterQueue").take(bus.now):
            pass
    with opened(path, *QUEUES[1:]):
        pass
    with opened(path) as bus:
        assert bus.send("plain", message("x")) == [1]


def test_a_queue_keeps_its_messages_under_another_spelling(path: Path) -> None:
    with opened(path) as bus:
        bus.send("plain", message("x"))
    with opened(path, replace(QUEUES[0], name="PLAIN")) as bus:
        assert names(bus, "plain") == ["x"]


def test_the_files_are_private(bus: Bus) -> None:
    bus.send("plain", message("x"))
    bus.journal.commit()
    folder = bus.journal.path.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    files = list(folder.iterdir())
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_the_file_is_one_bus_s(bus: Bus) -> None:
    with pytest.raises(JournalError, match="locked"):
        Journal(bus.journal.path)


def test_what_cannot_be_written_now_is_written_later(bus: Bus) -> None:
    execute = bus.journal._database.execute
    (pages,) = execute("PRAGMA page_count").fetchone()
    execute(f"PRAGMA max_page_count = {pages}")
    bus.send("plain", message("x", body=b"x" * 100_000))
    for _ in range(2):
        with pytest.raises(JournalError, match="full"):
            bus.journal.commit()
    bus.send("plain", message("y"))
    execute("PRAGMA max_page_count = 1000000")
    bus.journal.commit()
    with opened(killed(bus)) as again:
        assert names(again, "plain") == ["x", "y"]


def test_the_file_becomes_small_again(path: Path) -> None:
    with opened(path) as bus:
        bus.send("plain", *(message(f"{n}", body=bytes(200_000)) for n in range(150)))
        bus.journal.commit()
        while bus.queue("plain").take(bus.now):
            pass
        bus.send("plain", message("kept"))
    assert path.stat().st_size > 20_000_000
    with opened(path) as bus:
        assert names(bus, "plain") == ["kept"]
    assert path.stat().st_size < 1_000_000


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, " * 100)
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE x (y)")
    other.close()
    newer = tmp_path / "newer"
    Journal(newer).close()
    changed = sqlite3.connect(newer)
    changed.execute("PRAGMA user_version = 99")
    changed.close()
    for name in ("text", "other", "newer"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(JournalError, match=name):
            Journal(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


def test_a_damaged_message_is_told_not_delivered(path: Path) -> None:
    with opened(path) as bus:
        bus.send("plain", message("x", body=b"planted-body" * 10))
    path.write_bytes(path.read_bytes().replace(b"planted-body", b"altered-body", 1))
    with pytest.raises(JournalError, match="message 1 in it is damaged") as caught, opened(path):
        pass
    assert "-body" not in str(caught.value)


# Whatever happens to the file

SENT = 6


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the files of a bus killed after six commits of one message each, half in each file."""
    with opened(tmp_path_factory.mktemp("journal") / "bus") as bus:
        for n in range(SENT):
            bus.send("plain", message(f"{n}", body=bytes([n]) * 3000))
            bus.journal.commit()
            if n == SENT // 2 - 1:
                bus.journal._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return killed(bus)


def read_back(files: Path, change: Callable[[Path, Path], None]) -> list[str] | None:
    """Give the messages in changed copies of the files, or None where they are refused."""
    to = files.with_name(f"changed-{next(numbers)}")
    wal = to.with_name(f"{to.name}-wal")
    shutil.copy(files, to)
    shutil.copy(files.with_name(f"{files.name}-wal"), wal)
    change(to, wal)
    try:
        with opened(to) as bus:
            found = list(bus.queue("plain").peek(0, 1000, bus.now))
    except JournalError:
        return None
    finally:
        to.unlink(missing_ok=True)
        wal.unlink(missing_ok=True)
    for entry in found:
        assert entry.message.body[-3000:] == bytes([int(entry.message.message_id)]) * 3000
    return [entry.message.message_id for entry in found]


def first(count: int) -> list[str]:
    return [f"{n}" for n in range(count)]


def test_nothing_is_missing_from_the_files_as_they_are(written: Path) -> None:
    assert read_back(written, lambda *_: None) == first(SENT)


often = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@often
@given(st.data())
def test_a_torn_end_is_dropped_and_all_before_it_kept(written: Path, data: st.DataObject) -> None:
    size = written.with_name(f"{written.name}-wal").stat().st_size
    length = data.draw(st.integers(0, size))

    def tear(_: Path, wal: Path) -> None:
        wal.write_bytes(wal.read_bytes()[:length])

    found = read_back(written, tear)
    assert found is not None
    assert SENT // 2 <= len(found) <= SENT
    assert found == first(len(found))


@often
@given(st.data())
def test_no_altered_octet_makes_another_message(written: Path, data: st.DataObject) -> None:
    in_wal = data.draw(st.booleans())
    name = f"{written.name}-wal" if in_wal else written.name
    position = data.draw(st.integers(0, written.with_name(name).stat().st_size - 1))
    bit = data.draw(st.integers(0, 7))

    def flip(database: Path, wal: Path) -> None:
        file = wal if in_wal else database
        content = bytearray(file.read_bytes())
        content[position] ^= 1 << bit
        file.write_bytes(content)

    found = read_back(written, flip)
    assert found is None or set(found) <= set(first(SENT))


# Whatever happened on the bus

SETTLING: dict[str, Callable[[Queue, UUID, float], None]] = {
    "complete": Queue.complete,
    "abandon": lambda queue, token, now: queue.abandon(token, now, {"tried": "yes"}),
    "defer": Queue.defer,
    "bury": lambda queue, token, now: queue.dead_letter(token, now, "reason", "description"),
}


def wait(bus: Bus, n: int) -> None:
    bus.now += 5 * n
    bus.namespace.advance()


ACTING: dict[str, Callable[[Bus, int], object]] = {
    "send": lambda bus, n: bus.send("plain", *(message(f"{n}") for _ in range(n + 1))),
    "unique": lambda bus, n: bus.send("unique", message(f"{n}")),
    "later": lambda bus, n: bus.send("plain", message(f"{n}", at=bus.now + 5 * n)),
    "retry": lambda bus, n: bus.send("retries", message(f"{n}", at=bus.now + 5 * n)),
    "take": lambda bus, _: bus.queue("plain").take(bus.now),
    "wait": wait,
    "commit": lambda bus, _: bus.journal.commit(),
}
STEPS = st.lists(
    st.tuples(st.sampled_from(["receive", *SETTLING, *ACTING]), st.integers(0, 3)), max_size=40
)


def run(bus: Bus, steps: list[tuple[str, int]]) -> None:
    tokens: list[UUID] = []
    for step, n in steps:
        try:
            if step in SETTLING:
                if tokens:
                    SETTLING[step](bus.queue("plain"), tokens.pop(n % len(tokens)), bus.now)
            elif step == "receive":
                entry = bus.queue("plain").receive(bus.now)
                tokens += [entry.lock.token] if entry and entry.lock else []
            else:
                ACTING[step](bus, n)
        except AmqpError:
            pass  # a lock that ended, as it may


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_after_any_steps_the_same_bus_comes_back(
    tmp_path: Path, steps: list[tuple[str, int]]
) -> None:
    with opened(tmp_path / f"{next(numbers)}") as bus:
        run(bus, steps)
        bus.journal.commit()
        copy = killed(bus)
        with opened(copy, now=bus.now) as again:
            bus.now = again.now = bus.now + 10  # every lock has ended
            for one in (bus, again):
                one.namespace.advance()
            for address in ("plain", "plain/$DeadLetterQueue", "unique", "messages", "retries"):
                here, there = (sorted(one.queue(address).store, key=number) for one in (bus, again))
                assert here == there
                assert bus.queue(address).counts(bus.now) == again.queue(address).counts(again.now)
            for one in (bus, again):
                one.send("unique", *(message(f"{n}") for n in range(4)))
            assert names(bus, "unique") == names(again, "unique")
            assert bus.send("plain", message("z")) == again.send("plain", message("z"))


def test_the_state_of_a_session_is_kept_and_its_lock_is_not(path: Path) -> None:
    spec = QueueSpec("/q", "sessions", requires_session=True)
    with opened(path, spec) as bus:
        sessions = bus.queue("sessions").sessions
        assert sessions is not None
        for session_id, state in (("one", b"half way"), ("two", b"x"), ("two", None)):
            lock = sessions.accept(session_id, bus.now)
            sessions.set_state(lock, state, bus.now)
            sessions.release(lock)
        sessions.accept("one", bus.now)
        bus.journal.commit()
        left = killed(bus)
    with opened(left, spec) as bus:
        sessions = bus.queue("sessions").sessions
        assert sessions is not None
        assert (sessions.state("one"), sessions.state("two")) == (b"half way", None)
        assert sessions.updated_since(bus.now - 1) == ["one", "two"]
        sessions.accept("one", bus.now)
    with opened(left, QueueSpec("/q", "other")):
        pass


def test_a_file_from_before_there_were_sessions_is_opened(path: Path) -> None:
    with opened(path) as bus:
        bus.send("plain", message("a"))
    database = sqlite3.connect(path)
    database.execute("DROP TABLE session_state")
    database.commit()
    database.close()
    with opened(path) as bus:
        assert bus.receive("plain").message.message_id == "a"


def test_what_could_not_be_forwarded_is_kept(path: Path) -> None:
    specs = (QueueSpec("/q", "a", forward_to="b"), QueueSpec("/q", "b", forward_to="a"))
    with opened(path, *specs) as bus:
        bus.send("a", message("m"))
        bus.journal.commit()
        left = killed(bus)
    with opened(left, *specs) as bus:
        entry = bus.receive("a/$Transfer/$DeadLetterQueue")
        assert entry.message.message_id == "m"
        assert entry.message.hops == 4
    with pytest.raises(JournalError, match="a with 1 messages"), opened(left, QUEUES[0]):
        pass

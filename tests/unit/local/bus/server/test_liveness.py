"""What the clock makes of a connection; every case is a moment, none waits for it."""

from __future__ import annotations

import pytest

from local.bus.server.handshake import IDLE_TIMEOUT_SECONDS
from local.bus.server.liveness import (
    CHECK_SECONDS,
    HANDSHAKE_SECONDS,
    LINKLESS_SECONDS,
    MIN_CHECK_SECONDS,
    Due,
    Liveness,
)

START = 1000.0


def due(
    liveness: Liveness,
    seconds: float,
    *,
    is_open: bool = True,
    has_links: bool = True,
    is_read: bool = True,
) -> Due:
    return liveness.due(START + seconds, is_open=is_open, has_links=has_links, is_read=is_read)


@pytest.fixture
def liveness() -> Liveness:
    return Liveness(START)


def test_a_connection_that_is_not_opened_is_dropped(liveness: Liveness) -> None:
    assert due(liveness, HANDSHAKE_SECONDS, is_open=False) is Due.NOTHING
    assert due(liveness, HANDSHAKE_SECONDS + 1, is_open=False) is Due.DROP


def test_a_silent_one_is_closed_and_one_that_does_not_read_dropped_later(
    liveness: Liveness,
) -> None:
    assert due(liveness, IDLE_TIMEOUT_SECONDS) is Due.NOTHING
    assert due(liveness, IDLE_TIMEOUT_SECONDS + 1) is Due.CLOSE_IDLE
    assert due(liveness, IDLE_TIMEOUT_SECONDS + 1, is_read=False) is Due.NOTHING
    assert due(liveness, 2 * IDLE_TIMEOUT_SECONDS + 1, is_read=False) is Due.DROP


def test_one_that_is_heard_goes_on(liveness: Liveness) -> None:
    liveness.heard_at = START + IDLE_TIMEOUT_SECONDS
    assert due(liveness, IDLE_TIMEOUT_SECONDS + 1) is Due.NOTHING


def test_one_without_links_is_closed_and_each_link_starts_the_time_again(
    liveness: Liveness,
) -> None:
    assert due(liveness, 30) is Due.NOTHING
    assert due(liveness, 30 + LINKLESS_SECONDS, has_links=False) is Due.NOTHING
    assert due(liveness, 31 + LINKLESS_SECONDS, has_links=False) is Due.CLOSE_LINKLESS
    assert due(liveness, 31 + LINKLESS_SECONDS, has_links=False, is_read=False) is Due.NOTHING


def test_a_client_hears_from_the_bus_as_often_as_it_wants(liveness: Liveness) -> None:
    assert due(liveness, 50) is Due.NOTHING
    liveness.heartbeat = 30.0
    assert due(liveness, 29) is Due.NOTHING
    assert due(liveness, 30) is Due.HEARTBEAT
    liveness.sent_at = START + 30
    assert due(liveness, 50) is Due.NOTHING


@pytest.mark.parametrize(
    ("heartbeat", "seconds"),
    [(0.0, CHECK_SECONDS), (60.0, CHECK_SECONDS), (0.5, 0.5), (0.0005, MIN_CHECK_SECONDS)],
)
def test_the_clock_is_looked_at_as_often_as_the_heartbeat_needs_within_bounds(
    liveness: Liveness, heartbeat: float, seconds: float
) -> None:
    liveness.heartbeat = heartbeat
    assert liveness.check_seconds == seconds

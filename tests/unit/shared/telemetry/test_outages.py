"""One line when a service stops serving, one when it serves again."""

from __future__ import annotations

import logging

import pytest

from shared.errors import RelayError
from shared.telemetry.outages import Outages

_log = logging.getLogger("test_outages")


class AwayError(RelayError):
    pass


class DeniedError(RelayError):
    is_denial = True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outages(clock: Clock, caplog: pytest.LogCaptureFixture) -> Outages:
    caplog.set_level(logging.INFO)
    return Outages(_log, clock)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_hundreds_of_failures_are_two_lines(
    outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outages.works("the vault")
    for _ in range(300):
        outages.failed("the vault", AwayError("no answer"))
        clock.now += 1
    outages.works("the vault")
    outages.works("the vault")
    assert lines(caplog) == [
        ("WARNING", "the vault is away, until further notice: no answer"),
        ("WARNING", "the vault serves again, after 300 s and 300 failures"),
    ]


def test_a_denial_is_an_error_and_distinct_from_being_away(
    outages: Outages, caplog: pytest.LogCaptureFixture
) -> None:
    outages.failed("the vault", AwayError("no answer"))
    outages.failed("the vault", DeniedError("status 403"))
    outages.failed("the vault", AwayError("no answer"))
    outages.failed("the vault", DeniedError("status 403"))
    outages.failed("the bus", DeniedError("refused"))
    assert [level for level, _ in lines(caplog)] == ["WARNING", "ERROR", "ERROR"]
    assert "the vault refuses, until further notice: status 403" in caplog.text


def test_one_that_comes_and_goes_does_not_fill_the_log(
    outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(200):
        outages.failed("the vault", AwayError("no answer"))
        clock.now += 1
        outages.works("the vault")
    assert len(lines(caplog)) == 6
    outages.failed("the vault", AwayError("still"))
    clock.now += 1000
    outages.failed("the vault", AwayError("still"))
    outages.works("the vault")
    assert len(lines(caplog)) == 8, "what lasts is announced, even if it began unseen"


def test_of_an_outage_a_few_messages_are_logged(outages: Outages) -> None:
    levels = []
    for _ in range(10):
        outages.failed("the vault", AwayError("away"))
        levels.append(outages.level)
    assert levels == [logging.INFO] * 5 + [logging.DEBUG] * 5
    outages.works("the vault")
    assert outages.level == logging.INFO


def test_what_is_watched_ends_an_outage_by_being_done(
    outages: Outages, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(AwayError), outages.watching("the vault", AwayError):
        raise AwayError("away")
    with pytest.raises(ValueError, match="odd"), outages.watching("the vault", AwayError):
        raise ValueError("odd")
    assert len(lines(caplog)) == 1
    with outages.watching("the vault", AwayError):
        pass
    assert len(lines(caplog)) == 2


def test_what_may_be_of_one_request_is_no_line_until_it_is_known_to_be_of_the_service(
    outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outages.failed("the partner", AwayError("503"), is_news=False)
    outages.works("the partner", "nobody waits")
    assert lines(caplog) == []
    outages.failed("the partner", AwayError("503"), is_news=False)
    clock.now += 60
    outages.failed("the partner", AwayError("504"))
    clock.now += 10
    outages.works("the partner", "7 messages wait")
    assert lines(caplog) == [
        ("WARNING", "the partner is away, until further notice: 504"),
        ("WARNING", "the partner serves again, after 70 s and 2 failures; 7 messages wait"),
    ]

"""The times of a message are read as the library reads them, without all that it would try."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

import pytest
from azure.functions.meta import Datum
from azure.functions.servicebus import ServiceBusMessageInConverter
from hypothesis import example, given
from hypothesis import strategies as st

from shared.apps.message_times import read_at_once

# As the host writes them: without a zone, and so in none of the first twelve formats.
TIMES = {"EnqueuedTimeUtc": "2026-11-26T12:00:00.123", "ExpiresAtUtc": "2026-12-10T12:00:00"}
CONVERTER: Any = import_module("azure.functions.meta")._BaseConverter
LIBRARY: Any = CONVERTER._parse_datetime
LIBRARY = getattr(LIBRARY, "__wrapped__", LIBRARY)  # where another test has made a receiver


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONVERTER, "_parse_datetime", LIBRARY)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the library tries for each time."""
    formats: list[str] = []

    class Watched(datetime):
        @classmethod
        def strptime(cls, text: str, form: str) -> datetime:  # type: ignore[override]
            formats.append(form)
            return datetime.strptime(text, form)  # noqa: DTZ007 - as the library does

    monkeypatch.setattr("azure.functions._utils.datetime", Watched)
    return formats


def read() -> Mapping[str, str]:
    """Read a message as the worker does, and return its times."""
    times = {name: Datum(f'"{value}"', "json") for name, value in TIMES.items()}
    metadata = {"UserProperties": Datum("{}", "json"), **times}
    message: Any = ServiceBusMessageInConverter.decode(
        Datum(b"x", "bytes"), trigger_metadata=metadata
    )
    return {
        "EnqueuedTimeUtc": message.enqueued_time_utc.isoformat(timespec="milliseconds"),
        "ExpiresAtUtc": message.expires_at_utc.isoformat(),
    }


def test_a_time_of_the_host_is_read_without_any_trial(tried: list[str]) -> None:
    read_at_once()
    read_at_once()  # once is enough, and twice changes nothing
    assert read() == TIMES
    assert tried == []


def test_by_itself_the_library_tries_a_dozen_formats(tried: list[str]) -> None:
    # Where this fails, azure-functions has changed: `read_at_once` may not be needed.
    assert read() == TIMES
    assert len(tried) > 12 * len(TIMES)


def test_a_library_without_that_method_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(CONVERTER, "_parse_datetime")
    read_at_once()
    assert not hasattr(CONVERTER, "_parse_datetime")


DATES = st.sampled_from(
    ["2026-11-26", "2024-02-29", "2026-02-29", "0000-01-01", "2026-1-2", "11/26/2026", "٢٠٢٦-11-26"]
)
BETWEEN = st.sampled_from(["T", " ", "t", ""])
CLOCKS = st.sampled_from(["12:00:00", "23:59:60", "24:00:00", "1:2:3", "25:00:00", "12:00", ""])
FRACTIONS = st.sampled_from(["", ".1", ".123456", ".1234567", ".12345678", ",5", ".", ".x", ".٣"])
ZONES = st.sampled_from(["", "Z", "z", "+00:00", "-00:00", "+01:00", "+0000", " Z", "\n", "٣"])
TEXTS = st.tuples(DATES, BETWEEN, CLOCKS, FRACTIONS, ZONES).map("".join)


def outcome(text: str | None) -> tuple[object, ...]:
    try:
        found = CONVERTER._parse_datetime(text)
    except ValueError as error:
        return type(error), str(error)
    return found, found and found.tzinfo


@given(TEXTS | st.text(max_size=30) | st.none())
@example("2026-11-26T12:00:00.1234567")
@example("9999-12-31T23:59:59.9999999")
@example("2026-11-26T24:00:00")
@example("2026-02-29T12:00:00")
def test_whatever_a_time_is_the_outcome_is_that_of_the_library(text: str | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CONVERTER, "_parse_datetime", LIBRARY)
        before = outcome(text)
        read_at_once()
        assert outcome(text) == before

"""What an operator says of the partner, in the secret."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.partner.operator_state import OPEN, PartnerState, PartnerStateError

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
PAUSED = PartnerState(is_paused=True, since=AT, reason="a release of theirs")


@pytest.mark.parametrize(
    "state", [PAUSED, OPEN, PartnerState(is_paused=False, since=AT), PartnerState(is_paused=True)]
)
def test_a_state_is_read_as_it_was_written(state: PartnerState) -> None:
    assert PartnerState.from_json(state.to_json()) == state


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('{"kind": "unset", "todo": "Set the value"}', OPEN),
        ('{"state": "open"}', OPEN),
        ('{"state": "paused", "by": "a later version"}', PartnerState(is_paused=True)),
        (
            '{"state": "paused", "since": "2026-11-26T13:00:00+01:00"}',
            PartnerState(is_paused=True, since=AT),
        ),
    ],
)
def test_what_it_says(text: str, state: PartnerState) -> None:
    assert PartnerState.from_json(text) == state


@pytest.mark.parametrize(
    "text",
    [
        *("", "paused", "null", "[]", "{}", "[" * 1000, '"paused"', "1e999"),
        *('{"state": "Paused"}', '{"state": true}', '{"kind": "unset", "state": "shut"}'),
        '{"state": "paused", "since": "yesterday"}',
        '{"state": "paused", "since": 1}',
        '{"state": "paused", "since": "2026-11-26T12:00:00"}',
        '{"state": "paused", "since": "0001-01-01T00:00:00+14:00"}',
        '{"state": "paused", "reason": ["why"]}',
        '{"state": "paused", "reason": "' + "x" * 2000 + '"}',
    ],
)
def test_anything_else_is_an_error_that_does_not_repeat_it(text: str) -> None:
    with pytest.raises(PartnerStateError, match="partner-state") as error:
        PartnerState.from_json(text)
    assert "yesterday" not in str(error.value)


def test_a_reason_is_one_line_of_a_log() -> None:
    state = PartnerState(is_paused=True, reason="one\n\x1b[31mtwo\x00" + "x" * 500)
    read = PartnerState.from_json(state.to_json())
    assert read.reason.startswith("one [31mtwo")
    assert read.reason.isprintable()
    assert len(read.reason) <= 200


@given(st.text(max_size=300))
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(PartnerStateError):
        PartnerState.from_json(text)

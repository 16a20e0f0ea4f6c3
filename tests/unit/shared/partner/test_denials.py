"""A wrong secret rejects nothing, and a message that alone is denied is not tried for ever."""

from __future__ import annotations

import pytest

from shared.partner.denials import Denials
from tests.unit.shared.partner.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def denials(clock: ManualClock) -> Denials:
    return Denials(clock)


def test_a_first_denial_is_never_the_messages_own(denials: Denials, clock: ManualClock) -> None:
    denials.accepted(clock.now)
    assert not denials.is_of_message("mine")


def test_a_message_that_is_denied_again_after_another_was_accepted_is_denied_alone(
    denials: Denials, clock: ManualClock
) -> None:
    denials.is_of_message("mine")
    clock.now += 1
    denials.accepted(clock.now)
    clock.now += 30
    assert denials.is_of_message("mine")


def test_once_a_secret_is_wrong_no_denial_is_a_messages_own(
    denials: Denials, clock: ManualClock
) -> None:
    began = clock.now
    for round_ in range(50):
        clock.now += 30
        # Answers to posts from before are still coming in.
        denials.accepted(began)
        assert not any(denials.is_of_message(str(one)) for one in range(20)), round_


def test_each_denial_that_counts_needs_another_success(
    denials: Denials, clock: ManualClock
) -> None:
    found = []
    for step in range(6):
        if step in (2, 5):
            denials.accepted(clock.now)
        clock.now += 10
        found.append(denials.is_of_message("mine"))
        clock.now += 10
    assert found == [False, False, True, False, False, True]

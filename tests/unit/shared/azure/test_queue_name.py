from __future__ import annotations

import pytest

from shared.azure.queue_name import is_queue_name


@pytest.mark.parametrize("name", ["a", "messages", "Relay/messages-1_a.b", "a" * 260])
def test_the_name_of_a_queue(name: str) -> None:
    assert is_queue_name(name)


@pytest.mark.parametrize(
    "name", ["", "a" * 261, "/a", "a/", "-a", "a.", "a b", "a\n", "\u00e4", "a?b", "a$b"]
)
def test_what_is_not_the_name_of_a_queue(name: str) -> None:
    assert not is_queue_name(name)

from __future__ import annotations

import threading

from local.cli.output import printable, progress


def test_what_takes_long_is_shown_until_it_ends() -> None:
    shown: list[str] = []
    twice = threading.Event()

    def show(line: str) -> None:
        shown.append(line)
        if len(shown) == 2:
            twice.set()

    with progress("still stopping", show, first=0.01, following=0.01):
        assert twice.wait(30)
    count = len(shown)
    assert shown[0] == "still stopping (0 s)"
    assert len(shown) == count


def test_what_is_quick_is_not_shown() -> None:
    shown: list[str] = []
    with progress("x", shown.append, first=60):
        pass
    assert shown == []


def test_control_characters_are_spelled_out() -> None:
    assert printable("a\x1b[2J\n\u202e") == "a\\x1b[2J\\n\\u202e"
    assert printable("a\n\x07", keep="\n") == "a\n\\x07"

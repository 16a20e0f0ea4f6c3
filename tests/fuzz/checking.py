"""What holds of every request: it is answered or its connection ends, and nothing fails inside."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fuzz.client import statuses
from tests.fuzz.requests import Request
from tests.fuzz.socketless import Port
from tests.fuzz.unforeseen import Unforeseen

# Said on purpose: where something is stopped or full, and of a version that is not HTTP/1.
DELIBERATE = (503, 505)


def check_request(
    port: Port, unforeseen: Unforeseen, one: Request, deliberate: Sequence[int] = ()
) -> None:
    """Send a request. `deliberate` are further statuses of 500 and above that are no failure."""
    answer = port.answer([one.encoded()], is_whole=one.is_framed)
    if one.is_framed:
        assert statuses(answer), "no answer"
    _check(answer, unforeseen, deliberate)


def check_damaged(
    port: Port, unforeseen: Unforeseen, parts: Sequence[bytes], deliberate: Sequence[int] = ()
) -> None:
    """Send what may be no request, or the beginning of one."""
    _check(port.answer(parts, is_whole=False), unforeseen, deliberate)


def _check(answer: bytes, unforeseen: Unforeseen, deliberate: Sequence[int]) -> None:
    assert not unforeseen.take()
    failed = [one for one in statuses(answer) if one >= 500]
    assert set(failed) <= {*DELIBERATE, *deliberate}, answer[:500]
    assert b"Traceback" not in answer

"""What ends the process that handles it is known to the next one; nothing else is."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from shared.apps.crash_markers import CrashMarkers
from tests.unit.shared.apps.receiver_doubles import received


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "markers"


async def crash(folder: Path, message_id: str = "mine") -> int:
    """Let a process begin with a message, and never end with it; return what it found."""
    return await CrashMarkers(folder).alone(received(message_id)).__aenter__()


async def found(folder: Path, message_id: str = "mine") -> int:
    async with CrashMarkers(folder).alone(received(message_id)) as crashes:
        return crashes


def in_it(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_each_process_that_ended_in_it_counts(folder: Path) -> None:
    assert [await crash(folder) for _ in range(3)] == [0, 1, 2]
    assert await found(folder) == 3


async def test_one_that_is_handled_to_its_end_counts_from_none_again(folder: Path) -> None:
    await crash(folder)
    assert await found(folder) == 1
    assert await found(folder) == 0
    assert in_it(folder) == []


@pytest.mark.parametrize("error", [RuntimeError(), asyncio.CancelledError(), TimeoutError()])
async def test_a_failure_is_not_a_crash(folder: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        async with CrashMarkers(folder).alone(received()):
            raise error
    assert await found(folder) == 0


async def test_a_crash_is_counted_against_the_one_message_that_was_handled(folder: Path) -> None:
    """Those that wait for it, and another one under its id, are not its cause."""
    markers = CrashMarkers(folder)
    await markers.alone(received("mine")).__aenter__()
    waiting = asyncio.create_task(markers.alone(received("other")).__aenter__())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    assert await found(folder, "mine") == 1
    assert await found(folder, "other") == 0
    await crash(folder)
    async with CrashMarkers(folder).alone(received(body=b"another")) as crashes:
        assert crashes == 0


async def test_what_is_not_a_recent_marker_counts_as_none(folder: Path) -> None:
    for text in ("", "x", "\u0663"):
        await crash(folder)
        (marker,) = in_it(folder)
        marker.write_text(text, encoding="utf-8")
        assert await found(folder) == 0
    await crash(folder)
    (marker,) = in_it(folder)
    long_ago = time.time() - 2 * 86_400
    os.utime(marker, (long_ago, long_ago))
    assert await found(folder) == 0


async def test_without_a_folder_messages_are_handled_and_nothing_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "file" / "markers"
    folder.parent.write_text("in its place")
    markers = CrashMarkers(folder)
    for _ in range(3):
        async with markers.alone(received()) as crashes:
            assert crashes == 0
    assert len(caplog.messages) == 1

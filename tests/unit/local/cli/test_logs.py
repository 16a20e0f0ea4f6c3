"""Which lines of the apps' logs a terminal shows, and that logs are read as they grow."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from local.cli.logs import AppLog, notable, show_notable, why_silent
from tests.local_commands import local

AT = "2026-11-26 12:48:04,092"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"{AT} WARNING shared.apps.triage: returned x", "12:48:04 warning: returned x"),
        (f"{AT} ERROR   Host.Results: failed: x", "12:48:04 error: failed: x"),
        (f"{AT} INFO    shared.apps.receiver_queues: retry x in 5 s", "12:48:04 retry x in 5 s"),
        (f"{AT} INFO    shared.apps.receiver_queues: waits x for 5 s", "12:48:04 waits x for 5 s"),
        (f"{AT} INFO    Function.retry: Executing 'Functions.retry'", None),
        (f"{AT} INFO    shared.apps.sender: queued x", None),
        (f"{AT} WARNING azure.identity.aio: no token", None),
        ("Traceback (most recent call last):", None),
        ("", None),
    ],
)
def test_warnings_errors_and_retries_are_notable(line: str, shown: str | None) -> None:
    assert notable(line) == shown


def test_a_log_is_read_as_it_grows_and_from_its_start_when_it_is_new(tmp_path: Path) -> None:
    path = tmp_path / "sender.log"
    log = AppLog("sender", path)
    assert log.new_lines() == []
    path.write_text("one\ntw")
    assert log.new_lines() == ["one"]
    with path.open("a") as file:
        file.write("o\n\x1b[2J\n")
    assert log.new_lines() == ["two", "\\x1b[2J"]
    path.unlink()
    assert log.new_lines() == []
    path.write_text("new\n")
    assert log.new_lines() == ["new"]


async def test_of_many_lines_at_once_the_first_are_shown_and_the_rest_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "receiver.log"
    path.write_text("".join(f"{AT} ERROR   x: number {n}\n" for n in range(500)))
    shown: list[str] = []
    enough = asyncio.Event()

    def show(line: str) -> None:
        shown.append(line)
        if len(shown) == 11:
            enough.set()

    task = asyncio.create_task(show_notable(tmp_path, {"receiver": path}, show))
    await enough.wait()
    task.cancel()
    assert shown[0] == "receiver: 12:48:04 error: number 0"
    assert shown[-1].startswith("receiver: 490 more: ")
    assert shown[-1].endswith(f"-m local logs receiver --folder {tmp_path}")


def test_the_logs_of_a_cloud_that_is_down_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "sender.log").write_text("a\nb\n")
    (tmp_path / "logs" / "receiver.log").write_text("c\n")
    where = ("--folder", str(tmp_path))
    assert local("logs", *where).stdout == "receiver  c\nsender    a\nsender    b\n"
    assert local("logs", "sender", *where).stdout == "a\nb\n"
    assert local("logs", "sender", "--lines", "1", *where).stdout == "b\n"
    unknown = local("logs", "other", *where)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no app 'other' here; known: receiver, sender" in unknown.stderr


def test_without_logs_the_whole_command_is_given(tmp_path: Path) -> None:
    ended = local("logs", "--folder", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: there are no logs in {tmp_path}; start a cloud with: ")
    assert ended.stderr.endswith(f"-m local up --folder {tmp_path}\n")


def test_who_follows_a_cloud_that_is_down_reads_why_nothing_comes(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "sender.log").write_text("x\n")
    note = why_silent(tmp_path, ["sender"])
    assert note is not None
    assert note.startswith("note: new lines come once the apps run: no local cloud is up in ")
    assert local("logs", "--folder", str(tmp_path)).stderr == ""

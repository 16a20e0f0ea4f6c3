"""The command `logs`, and what of the apps' logs appears in the terminal of `up` and `demo`."""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Thread

from local.cli.client import Client, RequestRefusedError
from local.cli.command_line import count
from local.cli.output import notify, printable
from local.cli.status import as_object
from local.known_names import unknown_name
from local.net.folder import NotUpError, shell_command

_POLL = 0.3  # seconds
_MOST = 10  # lines of an app shown of each poll
_READ = 256 * 1024  # bytes of a log read at once
# Date and time, level, logger and text, as `local.host.logs` has them written.
_LINE = re.compile(
    r"\S+ (?P<time>[\d:]+)(?:,\d+)? (?P<level>[A-Z]+) +(?P<logger>\S+): (?P<text>.*)"
)
_LEVELS = ("WARNING", "ERROR", "CRITICAL")
_SDKS = ("azure.", "msal")
_UP = "up"
_RETRY = re.compile(r"(retry|waits) ")


class AppLog:
    """The log of an app, read piece by piece; one that was started anew is read from its start."""

    def __init__(self, app: str, path: Path) -> None:
        self.app = app
        self._path = path
        self._position = 0
        self._file = 0  # its inode
        self._rest = b""

    def new_lines(self) -> list[str]:
        """Return the whole lines that were written since the last call."""
        try:
            with self._path.open("rb") as file:
                status = self._path.stat()
                if status.st_ino != self._file or status.st_size < self._position:
                    self._file, self._position, self._rest = status.st_ino, 0, b""
                file.seek(self._position)
                read = file.read(_READ)
        except FileNotFoundError:
            return []
        self._position += len(read)
        *lines, self._rest = (self._rest + read).split(b"\n")
        return [printable(line.decode(errors="replace"), keep="\t") for line in lines]


def notable(line: str) -> str | None:
    """Return what a terminal should show of a line of a log; None for most of them."""
    found = _LINE.fullmatch(line)
    if not found or not (found["level"] in _LEVELS or _RETRY.match(found["text"])):
        return None
    # The SDKs log each refusal that the access audit asks for; what matters of them the apps log.
    if found["logger"].startswith(_SDKS):
        return None
    level = f"{found['level'].lower()}: " if found["level"] in _LEVELS else ""
    return f"{found['time']} {level}{found['text']}"


async def show_notable(folder: Path, logs: Mapping[str, Path], show: Callable[[str], None]) -> None:
    """Show the warnings, errors and retries of apps as they happen, until it is cancelled.

    Of many at once only the first are shown: an outage must not flood the terminal.
    """
    followed = [AppLog(app, path) for app, path in logs.items()]
    while True:
        for log in followed:
            found = [line for line in map(notable, log.new_lines()) if line]
            for line in found[:_MOST]:
                show(f"{log.app}: {line}")
            if left := len(found[_MOST:]):
                show(f"{log.app}: {left} more: {shell_command(folder, 'logs', log.app)}")
        await asyncio.sleep(_POLL)


def add_logs_command(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("app", metavar="APP", nargs="?", help="of this app alone")
    parser.add_argument("--follow", action="store_true", help="new lines too, until Ctrl-C")
    parser.add_argument("--lines", type=count, metavar="N", help="only the newest N of each app")
    parser.set_defaults(command=_show)


def _show(options: argparse.Namespace) -> int:
    logs = _logs(options.folder, options.app)
    if options.follow:
        apps = [log.app for log in logs]
        # On a thread: a cloud that is frozen answers late, and its logs can be read meanwhile.
        Thread(target=_note_silence, args=(options.folder, apps), daemon=True).start()
    width = max(len(log.app) for log in logs)
    for log, line in _lines(logs, options.lines, follow=options.follow):
        print(f"{log.app:<{width}}  {line}" if len(logs) > 1 else line, flush=options.follow)
    return 0


def _note_silence(folder: Path, apps: Sequence[str]) -> None:
    if note := why_silent(folder, apps):
        notify(note)


def why_silent(folder: Path, apps: Sequence[str]) -> str | None:
    """Return why apps that are followed write nothing; None where they run."""
    try:
        status = as_object(Client(folder).control("GET", "/status"))
    except (NotUpError, RequestRefusedError) as error:
        return f"note: new lines come once the apps run: {error}"
    states = {name: as_object(app)["state"] for name, app in as_object(status["apps"]).items()}
    down = [app for app in apps if states.get(app, _UP) != _UP]
    if not down:
        return None
    each = "; ".join(f"{app} is {states[app]}" for app in down)
    return f"note: {each}; start it with: {shell_command(folder, 'start', down[0])}"


def _logs(folder: Path, app: str | None) -> list[AppLog]:
    """Find the logs: those of a cloud that is down or was killed can be read as well."""
    found = {path.stem: path for path in sorted((folder / "logs").glob("*.log"))}
    if not found:
        raise RequestRefusedError(
            f"there are no logs in {folder}; start a cloud with: {shell_command(folder, 'up')}"
        )
    if app is not None and app not in found:
        raise RequestRefusedError(unknown_name(app, found, "app"))
    return [AppLog(name, path) for name, path in found.items() if app in (None, name)]


def _lines(logs: list[AppLog], newest: int | None, *, follow: bool) -> Iterator[tuple[AppLog, str]]:
    for log in logs:
        written: deque[str] = deque(maxlen=newest)
        while lines := log.new_lines():
            written += lines
        yield from ((log, line) for line in written)
    try:
        while follow:
            for log in logs:
                yield from ((log, line) for line in log.new_lines())
            time.sleep(_POLL)
    except KeyboardInterrupt:
        notify("")

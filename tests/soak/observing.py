"""What a process of the local cloud holds: memory, open files, tasks, objects. Linux only."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline.waiting import until

# What belongs to one connection or one request: as many as before, once all of these have ended.
PER_CONNECTION = (
    "local.bus.server.connection.Connection",
    "local.bus.server.session.Session",
    "local.bus.server.incoming.IncomingLink",
    "local.bus.server.outgoing.QueueReceiver",
    "local.bus.server.outgoing.ReplyLink",
    "local.net.http_limits._Protocol",
    "asyncio.sslproto.SSLProtocol",
)


@dataclass(frozen=True)
class Holdings:
    """Counts of one moment; `objects` are those that the garbage collector knows, by type."""

    files: int
    tasks: int
    objects: Counter[str]

    def per_connection(self) -> Mapping[str, int]:
        return {name: self.objects[name] for name in PER_CONNECTION}

    def grown(self, since: Holdings, count: int = 12) -> list[tuple[str, int]]:
        """Return the types of which there are most more than at another moment."""
        return (self.objects - since.objects).most_common(count)


@dataclass(frozen=True)
class ObservedProcess:
    """A process of `observed_cloud`, which writes its counts to `path`."""

    number: int
    path: Path

    def memory(self, kind: str = "VmRSS") -> float:
        """Return the resident memory in MB, now or, as VmHWM, the most that it ever was."""
        lines = Path(f"/proc/{self.number}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(kind))
        return int(line.split()[1]) / 1024

    def _files(self) -> int:
        return len(list(Path(f"/proc/{self.number}/fd").iterdir()))

    async def holdings(self) -> Holdings:
        self.path.unlink(missing_ok=True)
        os.kill(self.number, signal.SIGUSR1)

        async def written() -> bool:
            return self.path.exists()

        await until(written, lambda: "the cloud does not count what it holds")
        found = json.loads(self.path.read_text())
        return Holdings(self._files(), found["tasks"], Counter(found["objects"]))

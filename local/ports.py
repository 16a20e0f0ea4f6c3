"""The ports of a cloud, remembered in its folder, so that it comes back where it was.

It matters most for vaults: a sealed message names its key by the vault's URL, port and all.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

from local.folder import Folder

LOOPBACK = "127.0.0.1"
_FILE = "ports.json"


class Ports:
    """Ports by the name of what listens there."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._last = _read(folder)

    def last(self, name: str) -> int | None:
        """Tell where it listened last."""
        return self._last.get(name)

    def to_try(self, name: str, usual: int) -> Iterator[int]:
        """Give the ports to try: that of last time, or else the usual one, then any free one."""
        yield self._last.get(name, usual)
        yield 0

    def bind(self, name: str, usual: int) -> socket.socket:
        """Listen on loopback at the first port that is to be had."""
        for port in self.to_try(name, usual):
            try:
                listening = socket.create_server((LOOPBACK, port))
            except OSError:
                if port == 0:
                    raise
            else:
                self.keep(name, listening.getsockname()[1])
                break
        return listening

    def keep(self, name: str, port: int) -> None:
        """Remember where it listens."""
        if self._last.get(name) != port:
            self._last[name] = port
            self._folder.write_private(_FILE, json.dumps(self._last, indent=2) + "\n")


def _read(folder: Folder) -> dict[str, int]:
    try:
        found = json.loads((folder.path / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    ports = {str(name): port for name, port in found.items() if type(port) is int}
    return {name: port for name, port in ports.items() if 0 < port < 65536}

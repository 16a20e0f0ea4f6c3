"""The ports of a cloud, kept in its folder, so that a restart uses the same ports.

It matters most for vaults: a sealed message names its key by the vault's URL, port included.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import TypeVar

from local.net.folder import Folder
from local.net.loopback import CONNECTIONS, Listener, anywhere, listen, reserve

_FILE = "ports.json"
_Socket = TypeVar("_Socket", bound=socket.socket)


class Ports:
    """Ports by the name of what listens there; the first port of each name is kept for good.

    With `free_at_first`, a name without a kept port gets a free one instead of the usual one.
    """

    def __init__(self, folder: Folder, *, free_at_first: bool = False) -> None:
        self._folder = folder
        self._known = _read(folder)
        self._free_at_first = free_at_first

    def of(self, name: str, usual: int) -> int:
        """Return where it should listen: where it did before, or else at the usual port."""
        return self._known.get(name, usual)

    def has_moved(self, name: str, port: int) -> bool:
        """Return whether it listens at another port than before."""
        return self._known.get(name, port) != port

    def bind(self, name: str, usual: int, connections: int = CONNECTIONS) -> Listener:
        """Listen on loopback at the port of a name, or at a free one where that is in use."""
        return self._claim(name, usual, lambda port: listen(port, connections))

    def reserve(self, name: str, usual: int) -> socket.socket:
        """Reserve the port of a name, or a free one where that is in use.

        For services that stop and start while the cloud is up, and for links to them before that.
        """
        return self._claim(name, usual, reserve)

    def _claim(self, name: str, usual: int, take: Callable[[int], _Socket]) -> _Socket:
        port = self._known.get(name) or (0 if self._free_at_first else usual)
        try:
            taken = take(port) if port else anywhere(take)
        except OSError:
            taken = anywhere(take)
        self.keep(name, taken.getsockname()[1])
        return taken

    def keep(self, name: str, port: int) -> None:
        """Keep the port of a name, if it has none yet."""
        # A port that is used for once does not replace the one that messages name.
        if name not in self._known:
            self._known[name] = port
            self._folder.write_private(_FILE, json.dumps(self._known, indent=2) + "\n")


def _read(folder: Folder) -> dict[str, int]:
    try:
        found = json.loads((folder.path / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    ports = {str(name): port for name, port in found.items() if type(port) is int}
    return {name: port for name, port in ports.items() if 0 < port < 65536}

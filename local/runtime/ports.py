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


class PortsError(Exception):
    """The cloud cannot listen where it did before; the text says what to do."""


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

    def bind_for_good(self, name: str, usual: int) -> Listener:
        """Listen at the port that a name had before; `PortsError` where that is in use.

        For a service whose address is part of what it has named: a key is known by its vault's URL,
        and what was sealed with it could not be opened under another.
        """
        kept = self._known.get(name)
        if kept is None:
            return self.bind(name, usual)
        try:
            return listen(kept)
        except OSError as error:
            raise PortsError(
                f"port {kept} of {name} is not free ({error.strerror}), and nothing was started: "
                "keys are named by the address of their vault, so messages sealed before could not "
                f"be opened under another. Free the port (lsof -i :{kept} shows who has it) and "
                "start again, or start from nothing in another folder (--folder)"
            ) from None

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
        others = {known for other, known in self._known.items() if other != name}
        try:
            # The port of another name is left to it, whether it listens there already or not.
            taken = take(port) if port and port not in others else anywhere(take, others)
        except OSError:
            taken = anywhere(take, others)
        self.keep(name, taken.getsockname()[1])
        return taken

    def keep(self, name: str, port: int) -> None:
        """Keep the port of a name, if it has none yet."""
        # A port that is used for once does not replace the one that messages name.
        if name not in self._known:
            self._known[name] = port
            self._folder.write_private(_FILE, json.dumps(self._known, indent=2) + "\n")


def _read(folder: Folder) -> dict[str, int]:
    """Read the ports of a folder. A file that says nothing would give each vault a new address."""
    file = folder.path / _FILE
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(map(_is_port, found.values())):
        raise PortsError(
            f"{file} is damaged: it is a JSON object of ports (1 to 65535) by name. Correct it, "
            "since keys are named by the port of their vault, or start from nothing in another "
            "folder (--folder)"
        )
    return found


def _is_port(value: object) -> bool:
    return type(value) is int and 0 < value < 65536

"""The folder of a running local cloud: its lock, its endpoints and the files private to it."""

from __future__ import annotations

import fcntl
import json
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import trustme

from local.net.trust import BUNDLE_FILE, bundle

KEY_FILE = "control.key"  # the bearer secret of the control endpoint
PARTNER_KEY_FILE = "partner.key"  # the bearer secret of what the partner received
PAGE_KEY_FILE = "page.key"  # the bearer secret of the live page
_LOCK = "lock"
_ENDPOINTS = "endpoints.json"
_HOSTS = ("127.0.0.1", "localhost", "::1")


def app_keys_file(app: str) -> str:
    """Name the file of an app's access keys."""
    return f"app-{app}.key"


class FolderInUseError(Exception):
    """Another local cloud runs in the folder; `pid` is its process, where known."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"a local cloud is already up in {path} (process {pid or 'unknown'})")
        self.path = path
        self.pid = pid


class NotUpError(Exception):
    """No local cloud runs in the folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"no local cloud is up in {path}; start one with: python -m local up")
        self.path = path


class Folder:
    """A folder that this process holds; made by `lock`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_private(self, name: str, content: str | bytes) -> Path:
        """Write a file that only this user can read, all of it or nothing; return its path."""
        target = self.path / name
        # A file made by mkstemp is 0600 from its first moment on.
        descriptor, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        Path(temporary).replace(target)
        return target

    def kept(self, name: str, make: Callable[[], str]) -> Path:
        """Return the path of a private file that is made once and then kept."""
        path = self.path / name
        return path if path.exists() else self.write_private(name, make())

    def subfolder(self, name: str) -> Path:
        """Make a folder that only this user can enter; return its path."""
        path = self.path / name
        _make_private(path)
        return path

    def publish_endpoints(self, endpoints: Mapping[str, object]) -> None:
        """Write endpoints.json, which exists while everything is up."""
        self.write_private(_ENDPOINTS, json.dumps(endpoints, indent=2) + "\n")

    def withdraw_endpoints(self) -> None:
        """Remove endpoints.json."""
        (self.path / _ENDPOINTS).unlink(missing_ok=True)

    def certify(self) -> tuple[Path, ssl.SSLContext]:
        """Make a certificate authority and a server certificate; return the CA file and a context.

        The authority's private key never leaves this process's memory and is forgotten at once:
        with it, anybody could impersonate any server to the programs that trust the CA file.
        """
        authority = trustme.CA(organization_name="Sealed Relay local cloud")
        certificate = authority.issue_cert(*_HOSTS)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with certificate.private_key_and_cert_chain_pem.tempfile(dir=str(self.path)) as chain:
            context.load_cert_chain(chain)
        pem = authority.cert_pem.bytes()
        self.write_private(BUNDLE_FILE, bundle(pem))
        return self.write_private("ca.pem", pem), context


@contextmanager
def lock(path: Path) -> Iterator[Folder]:
    """Hold the folder exclusively, making it if it does not exist; FolderInUseError if it is held.

    The lock is the kernel's (flock), so it ends with its process in any case.
    """
    path = path.absolute()
    _make_private(path)
    descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUseError(path, _number(os.pread(descriptor, 20, 0))) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        folder = Folder(path)
        folder.withdraw_endpoints()
        try:
            yield folder
        finally:
            folder.withdraw_endpoints()
    finally:
        os.close(descriptor)


def endpoints(path: Path) -> Mapping[str, object]:
    """Read the endpoints of the cloud that is up in a folder; NotUpError if none is."""
    try:
        found = json.loads((path / _ENDPOINTS).read_bytes())
    except (OSError, ValueError):
        raise NotUpError(path) from None
    if not isinstance(found, dict):
        raise NotUpError(path)
    return found


def _make_private(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Keys and secrets are inside; a folder that existed before may have been open to others.
    path.chmod(0o700)


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None

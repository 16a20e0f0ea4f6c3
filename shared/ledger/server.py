"""Which PostgreSQL server a URL names, and whether it is reached by TLS."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import URL

from shared.standards.addresses import is_loopback
from shared.standards.host_name import host_name_problem

_PORT = 5432
_PORTS = range(1, 65536)
# The modes that the driver knows. All but the first are taken as the last: a server has to prove
# who it is, whatever a URL says.
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class PostgresServer:
    """Where to connect, with nothing left for the driver to look up, and whether by TLS."""

    url: URL
    tls: bool

    @classmethod
    def of(cls, url: URL) -> PostgresServer:
        """Read a URL. Raises `ValueError`, which never repeats what is in it.

        The driver would take what a URL lacks from `PG...` variables, `.pgpass` and service files,
        and hosts, files and modes out of its query. Here only `ssl` may be in the query, so that
        the host that is looked at is the one that gets the password.
        """
        if set(url.query) - {"ssl"}:
            raise ValueError("its query may have nothing but `ssl`: leave the rest out")
        if not url.username or not url.database:
            raise ValueError("it has to name a user and a database")
        host, port = url.host or "", url.port or _PORT
        if problem := "is missing" if not host else host_name_problem(host):
            raise ValueError(f"its host name {problem}")
        if port not in _PORTS:
            raise ValueError("its port is not from 1 to 65535")
        mode = url.query.get("ssl", "verify-full")
        if mode not in _MODES:
            raise ValueError(f"its `ssl` has to be one of {', '.join(_MODES)}, once")
        if mode == "disable" and not is_loopback(host):
            # A password travels: only what never leaves this machine goes without TLS.
            raise ValueError("it switches TLS off (ssl=disable), for a host that is not loopback")
        return cls(url.set(query={}, host=host, port=port), mode != "disable")

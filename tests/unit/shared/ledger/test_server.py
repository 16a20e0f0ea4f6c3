"""Which URLs of a database go without TLS, and what of a URL the driver is left to look up."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from sqlalchemy import event, make_url

from shared.ledger.engine import make_engine
from shared.ledger.server import PostgresServer

USER = "postgresql+asyncpg://relay:planted@"
LOOPBACK = ("127.0.0.1", "127.0.0.2:6000", "localhost", "LOCALHOST:5432", "[::1]:5432")
ELSEWHERE = (
    "db.postgres.database.azure.com",
    "10.0.0.4",
    "169.254.169.254",
    "localhost.example",
    "127.0.0.1.example",
    "127.1",
    "2130706433",
    "0.0.0.0",  # noqa: S104 - nobody listens
    "[::]",
    "[fe80::1]",
)


def server(text: str) -> PostgresServer:
    return PostgresServer.of(make_url(text))


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_may_be_reached_without_tls(host: str) -> None:
    assert not server(f"{USER}{host}/ledger?ssl=disable").tls
    assert server(f"{USER}{host}/ledger").tls


@pytest.mark.parametrize("host", ELSEWHERE)
def test_no_other_host_is_reached_without_tls(host: str) -> None:
    with pytest.raises(ValueError, match=r"TLS off|looked up|ends in a number|characters") as found:
        server(f"{USER}{host}/ledger?ssl=disable")
    assert "planted" not in str(found.value)


@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("host", ["127.0.0.1", "db.example"])
def test_no_mode_but_disable_goes_without_tls(host: str, mode: str) -> None:
    assert server(f"{USER}{host}/ledger?ssl={mode}").tls


@pytest.mark.parametrize(
    "query",
    [
        *("host=db.example&ssl=disable", "ssl=disable&host=db.example", "host=127.0.0.1"),
        *("host=/tmp", "host=db.example:5432&host=127.0.0.1:5432&ssl=disable", "port=1"),
        *("sslmode=disable", "SSL=disable", "ssl=disable&sslmode=disable", "service=planted"),
        *("servicefile=/tmp/planted", "passfile=/tmp/planted", "dsn=postgresql://db.example/x"),
        *("direct_tls=0", "server_settings=planted", "user=planted", "async_creator_fn=planted"),
        *("planted=1", "target_session_attrs=any", "prepared_statement_cache_size=0"),
    ],
)
def test_nothing_in_the_query_names_another_server_or_file(query: str) -> None:
    with pytest.raises(ValueError, match="nothing but `ssl`") as found:
        server(f"{USER}127.0.0.1/ledger?{query}")
    assert "planted" not in str(found.value)


@pytest.mark.parametrize(
    "query",
    [
        *("ssl=Disable", "ssl=off", "ssl=false", "ssl=0", "ssl=disable%20"),
        *("ssl=disable&ssl=require", "ssl=require&ssl=disable"),
    ],
)
def test_an_unknown_mode_is_named_and_not_guessed(query: str) -> None:
    with pytest.raises(ValueError, match=r"`ssl`"):
        server(f"{USER}127.0.0.1/ledger?{query}")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql+asyncpg://relay:planted@/ledger", "host name is missing"),
        ("postgresql+asyncpg:///ledger", "a user and a database"),
        ("postgresql+asyncpg://127.0.0.1/ledger", "a user and a database"),
        (f"{USER}127.0.0.1", "a user and a database"),
        (f"{USER}127.0.0.1/", "a user and a database"),
        (f"{USER}127.0.0.1,db.example/ledger?ssl=disable", "letters, digits"),
        (f"{USER}%2Ftmp/ledger?ssl=disable", "letters, digits"),
        (f"{USER}relay..example/ledger", "empty label"),
        (f"{USER}127.0.0.1:0/ledger", None),
        (f"{USER}127.0.0.1:70000/ledger", "port"),
    ],
)
def test_a_url_names_its_server_itself(url: str, problem: str | None) -> None:
    if problem is None:  # as no port at all
        assert server(url).url.port == 5432
        return
    with pytest.raises(ValueError, match=problem) as found:
        server(url)
    assert "planted" not in str(found.value)


def test_the_user_that_looks_like_a_host_is_not_the_host() -> None:
    with pytest.raises(ValueError, match="its host name has"):
        server("postgresql+asyncpg://relay:x@127.0.0.1@db.example/ledger?ssl=disable")


async def test_variables_change_nothing_of_what_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HOST", "PORT", "USER", "PASSWORD", "DATABASE", "SSLMODE", "SERVICE", "PASSFILE"):
        monkeypatch.setenv(f"PG{name}", "planted")
    engine = make_engine("postgresql+asyncpg://relay@db.example/ledger")
    given: dict[str, Any] = {}

    @event.listens_for(engine.sync_engine, "do_connect")
    def look(_: object, __: object, ___: object, arguments: dict[str, Any]) -> None:
        given.update(arguments)
        raise LookupError

    with pytest.raises(LookupError):
        await engine.connect()
    assert isinstance(given["ssl"], ssl.SSLContext)
    assert given["ssl"].verify_mode is ssl.CERT_REQUIRED
    assert given["ssl"].check_hostname
    names = ("host", "port", "user", "password", "database")
    assert {name: given[name] for name in names} == {
        "host": "db.example",
        "port": 5432,
        "user": "relay",
        "password": "",
        "database": "ledger",
    }

"""Input that atheris chooses by what it covers: `python -m tests.fuzz.coverage_guided codec`.

Further arguments are libFuzzer's, such as `-max_total_time=120` (seconds). Atheris is in no lock:
it has wheels for some systems only. It gets an environment of its own:

    python3.13 -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install -r requirements-dev.txt atheris
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["local"]):
    from local.bus.amqp import performatives as amqp
    from local.bus.amqp.decoding import DecodeError, decode, skip
    from local.bus.amqp.encoding import encode
    from local.bus.amqp.message import parse
    from tests.fuzz import test_administration, test_amqp, test_vault
    from tests.fuzz.checking import check_damaged
    from tests.fuzz.socketless import Port, SocketlessServer
    from tests.fuzz.unforeseen import Unforeseen
    from tests.fuzz.wire import opening

Target = Callable[[bytes], None]


def codec(data: bytes) -> None:
    """Read bytes as each thing that the bus reads; what is a value is written and read again."""
    for read in (amqp.read, parse, lambda octets: skip(octets, 0)):
        with suppress(DecodeError):
            read(data)
    with suppress(DecodeError):
        value, _ = decode(data)
        encoded = encode(value)
        assert repr(decode(encoded)[0]) == repr(value)


def bus(runner: asyncio.Runner, unforeseen: Unforeseen) -> Target:
    """Return what sends bytes on a session of the bus that has its links."""
    before = [*opening("PLAIN", test_amqp.PLAIN), *test_amqp.attached()]

    def one(data: bytes) -> None:
        namespace, clock = runner.run(test_amqp.play([*before, data], []))
        test_amqp.check_entries(namespace, clock)
        assert not unforeseen.take()

    return one


def http(port: Port, unforeseen: Unforeseen) -> Target:
    """Return what sends bytes to a port; the first one says which valid request goes before."""

    def one(data: bytes) -> None:
        request = port.requests[data[0] % len(port.requests)].encoded() if data else b""
        check_damaged(port, unforeseen, [request, data[1:]])

    return one


def main() -> None:
    """Run until libFuzzer ends it; a finding is written to a file, with its traceback shown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=("codec", "bus", "vault", "administration"))
    given, rest = parser.parse_known_args()
    with (
        asyncio.Runner() as runner,
        Unforeseen.watching(runner.get_loop()) as unforeseen,
        tempfile.TemporaryDirectory() as folder,
    ):
        server = SocketlessServer(runner, AsyncExitStack(), Path(folder))
        targets: dict[str, Callable[[], Any]] = {
            "codec": lambda: codec,
            "bus": lambda: bus(runner, unforeseen),
            "vault": lambda: http(test_vault.serve(server), unforeseen),
            "administration": lambda: http(test_administration.serve(server), unforeseen),
        }
        atheris.Setup([sys.argv[0], *rest], targets[given.target]())
        atheris.Fuzz()


if __name__ == "__main__":
    main()

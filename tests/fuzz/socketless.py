"""Applications behind the limits of the local cloud's HTTP servers, reached without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from local.net.serving import prepare
from tests.fuzz.client import MakeProtocol, converse
from tests.fuzz.requests import Request


@dataclass(frozen=True)
class Port:
    """A service, and valid requests to it."""

    runner: asyncio.Runner
    make_protocol: MakeProtocol
    requests: Sequence[Request]
    is_tls: bool

    def answer(self, parts: Sequence[bytes], *, is_whole: bool) -> bytes:
        """Return what a client gets that sends this on a connection of its own."""
        return self.runner.run(
            converse(self.make_protocol, parts, is_tls=self.is_tls, is_whole=is_whole)
        )


@dataclass(frozen=True)
class SocketlessServer:
    """Serves applications in the loop of `runner` until the stack ends; `folder` is theirs."""

    runner: asyncio.Runner
    stack: AsyncExitStack
    folder: Path

    def serve(
        self, application: web.Application, requests: Sequence[Request], *, is_tls: bool = False
    ) -> Port:
        make = self.runner.run(prepare(self.stack, application))

        def make_protocol() -> asyncio.Protocol:
            made = make()
            # For so many seconds it waits for the rest of a body that its answer did not need.
            made._lingering_time = 0.01  # type: ignore[attr-defined]
            return made

        return Port(self.runner, make_protocol, requests, is_tls)

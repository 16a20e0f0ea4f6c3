"""Callers who post to a URL, each one request after the other."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import aiohttp

RELAY = "the relay"
"""The name of what is measured, beside those of what it is compared with."""

_REQUEST_SECONDS = 120.0  # a slow machine is slow; an answer that never comes is a failure


@dataclass(frozen=True)
class Load:
    """What callers got: seconds in all and for each accepted request, and what was refused."""

    seconds: float
    latencies: Sequence[float]
    failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        """Requests that were not accepted."""
        return sum(self.failures.values())

    @property
    def rate(self) -> float:
        """Accepted requests a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Plan:
    """How many callers post what, until so many requests are made or so many seconds are over.

    With `is_traced` each request belongs to a trace of its own.
    """

    callers: int
    payload: bytes
    requests: int = 1_000_000
    seconds: float = 600.0
    is_traced: bool = False


def refused_by(loads: Mapping[str, Load]) -> dict[str, int]:
    """Return how many requests each did not accept; those who accepted all are left out."""
    return {who: load.refused for who, load in loads.items() if load.refused}


async def post(url: str, plan: Plan) -> Load:
    """Post as planned. Raises `aiohttp.ClientError` only where nothing at all is accepted."""
    numbers = count(1)  # of the requests of all callers together
    latencies: list[float] = []
    failures: dict[str, int] = {}
    timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
    connector = aiohttp.TCPConnector(limit=plan.callers)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        begun = time.perf_counter()
        until = begun + plan.seconds

        async def call() -> None:
            while next(numbers) <= plan.requests and time.perf_counter() < until:
                asked = time.perf_counter()
                headers = trace_of_its_own() if plan.is_traced else {}
                problem = await _post_once(session, url, plan.payload, headers)
                if problem:
                    failures[problem] = failures.get(problem, 0) + 1
                else:
                    latencies.append(time.perf_counter() - asked)

        await asyncio.gather(*(call() for _ in range(plan.callers)))
        seconds = time.perf_counter() - begun
    if not latencies:
        raise aiohttp.ClientError(f"{url} accepted nothing: {failures}")
    return Load(seconds, latencies, failures)


def trace_of_its_own() -> dict[str, str]:
    """Return the header of W3C Trace Context; whether it is exported is not the caller's choice."""
    return {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"}


async def _post_once(
    session: aiohttp.ClientSession, url: str, payload: bytes, headers: Mapping[str, str]
) -> str | None:
    """Return None where it was accepted, else what was wrong."""
    try:
        async with session.post(url, data=payload, headers=headers) as answer:
            await answer.read()
            return None if answer.status == 202 else f"status {answer.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__

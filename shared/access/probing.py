"""Probing what identities may do, without doing it: what is allowed here, what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.identity.aio import ManagedIdentityCredential

from shared.access.declaration import OPERATIONS, Grant, Kind, Outcome
from shared.access.probes import USER_AGENT, Attempt, ProbeTarget, probes
from shared.azure.identities import managed_identity

_VAULT_SCOPE = "https://vault.azure.net/.default"
_PROBE_SECONDS = 60.0
_AT_ONCE = 64


@dataclass(frozen=True)
class ProbeFinding:
    """The outcome of one probe; `detail` is a status or the kind of an error, never content."""

    grant: Grant
    outcome: Outcome
    detail: str


async def probe_in_app(
    target: ProbeTarget, app: str, identities: Mapping[str, str | None], seconds: float
) -> list[ProbeFinding]:
    """Request a token of each identity, by client id, and probe everything as those that give one.

    An identity without a client id is the app's own. After `seconds`, what is not known yet is
    reported as that.
    """
    limit = asyncio.Semaphore(_AT_ONCE)
    found: list[ProbeFinding] = []

    async def as_identity(name: str, client_id: str | None) -> None:
        # Made for this run: a credential that was used before would answer from its cache for an
        # identity that is not attached any more.
        async with managed_identity(client_id, retries=1, user_agent=USER_AGENT) as credential:
            token = await _token(credential, Grant(name, "app", app, "token"))
            found.append(token)
            if token.outcome == "allowed":
                await _probe_all(target, name, credential, limit, found)

    await _within(seconds, [as_identity(*one) for one in identities.items()])
    asked = [Grant(name, "app", app, "token") for name in identities]
    having = {one.grant.identity for one in found if one.outcome == "allowed"}
    return _complete(found, [*asked, *(grant for name in having for grant in _all(name, target))])


async def probe_as(
    target: ProbeTarget, name: str, credential: AsyncTokenCredential, seconds: float
) -> list[ProbeFinding]:
    """Probe everything under one credential, such as an operator's."""
    found: list[ProbeFinding] = []
    limit = asyncio.Semaphore(_AT_ONCE)
    await _within(seconds, [_probe_all(target, name, credential, limit, found)])
    return _complete(found, _all(name, target))


async def _within(seconds: float, work: Iterable[Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(seconds):
            # Whatever fails with one identity, the others are probed.
            await asyncio.gather(*work, return_exceptions=True)
    except TimeoutError:
        pass


def _all(name: str, target: ProbeTarget) -> list[Grant]:
    known = target.inventory
    objects: Mapping[Kind, Iterable[str]] = {
        "key": (key.name for key in known.keys),
        "secret": (secret.name for secret in known.secrets),
        "queue": known.queues,
    }
    return [
        Grant(name, kind, one, operation)
        for kind, there in objects.items()
        for one in there
        for operation in OPERATIONS[kind]
    ]


def _complete(found: list[ProbeFinding], asked: Iterable[Grant]) -> list[ProbeFinding]:
    """Add a finding for what there was no time for, so that none is missing."""
    missing = set(asked) - {finding.grant for finding in found}
    late = [ProbeFinding(grant, "could not tell", "no answer in time") for grant in missing]
    return sorted([*found, *late], key=lambda finding: finding.grant)


async def _token(credential: ManagedIdentityCredential, grant: Grant) -> ProbeFinding:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            await credential.get_token(_VAULT_SCOPE)
    except (AzureError, OSError, TimeoutError) as error:
        status = error.status_code if isinstance(error, HttpResponseError) else None
        # 400 is how App Service and virtual machines say that there is no such identity here.
        outcome: Outcome = "refused" if status == 400 else "could not tell"
        return ProbeFinding(grant, outcome, str(status or type(error).__name__))
    return ProbeFinding(grant, "allowed", "token")


async def _probe_all(
    target: ProbeTarget,
    name: str,
    credential: AsyncTokenCredential,
    limit: asyncio.Semaphore,
    found: list[ProbeFinding],
) -> None:
    async def attempt(grant: Grant, probe: Attempt) -> None:
        async with limit:
            found.append(await _finding(grant, probe))

    async with probes(target, name, credential) as each, asyncio.TaskGroup() as group:
        for grant, probe in each:
            group.create_task(attempt(grant, probe))


async def _finding(grant: Grant, probe: Attempt) -> ProbeFinding:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            outcome, detail = await probe()
    except Exception as error:  # noqa: BLE001 - whatever it is, the probe has no result
        return ProbeFinding(grant, "could not tell", type(error).__name__)
    return ProbeFinding(grant, outcome, detail)

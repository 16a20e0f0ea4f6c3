"""The command `prove`: asks every app, probes as the operators, and compares."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
from azure.core.credentials_async import AsyncTokenCredential

from ops.access_comparison import GrantUse, NoAnswerError, ProbeResult, Proof, Report, unused
from ops.access_report import as_json, show
from shared.access.declaration import Declaration
from shared.access.probes import ProbeTarget
from shared.access.probing import probe_as
from shared.azure.network import ConnectionOptions
from shared.settings.inventory import Inventory

_ANSWER_SECONDS = 200
_OPERATOR_SECONDS = 120.0
_BUSY_SECONDS = 5
_BUSY_TIMES = 12
_LONGEST_ANSWER = 4 * 1024 * 1024
_NOTHING = Inventory({}, (), (), ())


@dataclass(frozen=True)
class AskedApp:
    """An app, where it answers, and its master key; none is needed where no host asks for it."""

    app: str
    url: str
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class OperatorSession:
    """An operator, its credential, and the bus; the apps report where other objects are."""

    name: str
    credential: AsyncTokenCredential
    namespace: str
    network: ConnectionOptions


async def prove(
    declaration: Declaration,
    apps: Sequence[AskedApp],
    operators: Sequence[OperatorSession],
    used: object,
    *,
    json_only: bool,
) -> int:
    """Ask, compare, report: 0 if all is as declared and, where `used` is given, used."""
    proof = await proof_of(declaration, apps, operators)
    idle = None if used is None else unused(declaration, GrantUse.from_json(used))
    if json_only:
        print(json.dumps(as_json(proof, idle)))
    else:
        show(proof, idle)
    return 1 if proof.differences() or idle else 0


async def proof_of(
    declaration: Declaration, apps: Sequence[AskedApp], operators: Sequence[OperatorSession]
) -> Proof:
    """Ask all apps at once, and the operators after them, and compare with the declaration."""
    given = {one.app: one for one in apps}
    answers = _agreeing(await _answers(declaration.objects["app"], given))
    reports = [answer for answer in answers.values() if isinstance(answer, Report)]
    probed: list[ProbeResult] = []
    for operator in operators:
        probed += await _as_operator(operator, reports[0].objects if reports else _NOTHING)
    return Proof(
        declaration,
        reports,
        {app: answer for app, answer in answers.items() if isinstance(answer, str)},
        probed,
    )


def _agreeing(answers: Mapping[str, Report | str]) -> Mapping[str, Report | str]:
    """Believe no app if they do not all report the same objects: one names what is not deployed."""
    known = [answer.objects for answer in answers.values() if isinstance(answer, Report)]
    every = {(frozenset(one.keys), frozenset(one.secrets), frozenset(one.queues)) for one in known}
    if len(every) < 2:
        return answers
    why = "the apps do not agree on which keys, secrets and queues there are (RELAY_ACCESS_...)"
    return {app: why if isinstance(one, Report) else one for app, one in answers.items()}


async def _answers(
    names: Iterable[str], given: Mapping[str, AskedApp]
) -> Mapping[str, Report | str]:
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def answer(name: str) -> Report | str:
            if name not in given:
                return "its address is not given (--app)"
            try:
                return Report.from_json(name, await _asked(session, given[name]))
            except NoAnswerError as error:
                return str(error)
            except (aiohttp.ClientError, ssl.SSLError, OSError, TimeoutError) as error:
                return f"no answer ({type(error).__name__})"

        everyone = list(names)
        return dict(zip(everyone, await asyncio.gather(*map(answer, everyone)), strict=True))


async def _asked(session: aiohttp.ClientSession, app: AskedApp) -> object:
    headers = {"x-functions-key": app.key} if app.key else {}
    for _ in range(_BUSY_TIMES):
        # No redirect is followed: the master key goes to the given address only.
        async with session.get(
            f"{app.url.rstrip('/')}/api/access", headers=headers, allow_redirects=False
        ) as response:
            if response.status == 200:
                return await _body(response)
            if response.status != 409:
                raise NoAnswerError(_meaning(response.status))
        await asyncio.sleep(_BUSY_SECONDS)
    raise NoAnswerError("it is busy answering somebody else")


async def _body(response: aiohttp.ClientResponse) -> object:
    read = bytearray()
    async for part in response.content.iter_chunked(64 * 1024):
        read += part
        if len(read) > _LONGEST_ANSWER:
            break
    try:
        return json.loads(read)
    except (ValueError, RecursionError):
        raise NoAnswerError("does not answer as the function access does") from None


def _meaning(status: int) -> str:
    if status == 404:
        return "there is no function access: switched off (RELAY_ACCESS), or another program"
    if status in (401, 403):
        return f"status {status}: this is not its master key"
    return f"status {status}"


async def _as_operator(operator: OperatorSession, objects: Inventory) -> list[ProbeResult]:
    target = ProbeTarget(objects, operator.namespace, operator.network)
    found = await probe_as(target, operator.name, operator.credential, _OPERATOR_SECONDS)
    return [ProbeResult(one.grant, operator.name, one.outcome, one.detail) for one in found]

"""The part of the control endpoint that injects faults and clears them."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from local.authorization.grants import principals
from local.faults.fault_document import FaultError
from local.faults.faults import SERVICES, Fault, Service
from local.known_names import unknown_name
from local.net.request_body import read_json
from local.runtime.cloud import Cloud
from local.strict_json import DocumentPath, StrictObject

_DAY = 24 * 60 * 60  # seconds
_YEAR = 366 * _DAY


def add_faults(app: web.Application, cloud: Cloud) -> None:
    """Add these commands to the control endpoint.

    - `GET /faults`
    - `POST /faults` with a fault as `local.faults.faults.Fault` describes it, such as
      `{"service": "partner", "answer": "status", "status": 429, "retry_after": 5, "times": 10}`;
      answers `{"fault": its number}`
    - `DELETE /faults`, `/faults?service=partner`, `/faults/{number}`; that of a number answers how
      many requests it hit in all. Without one, or with that of the bus, connections that
      `/bus/cut` did not reach yet are left whole
    - `PUT /grants/{identity}/off`, `/grants/{identity}/on`
    - `PUT /bus/clock` with `{"ahead": seconds}`: the clock of the queues is so far ahead
    - `PUT /tokens/lifetime` with `{"seconds": whole number}`, of the tokens made from then on
    - `POST /tokens/revoke`: all tokens made so far are expired, and connections of the bus that
      were made with them are broken. The Azure SDKs go on using a token until its own expiry;
      where tokens live for less than five minutes they request another after 30 seconds
    """
    control = _FaultRoutes(cloud)
    app.router.add_get("/faults", control.show)
    app.router.add_post("/faults", control.set)
    app.router.add_delete("/faults", control.clear)
    app.router.add_delete("/faults/{number:[0-9]{1,9}}", control.clear_number)
    app.router.add_put("/grants/{identity}/{state:off|on}", control.grant)
    app.router.add_put("/bus/clock", control.clock)
    app.router.add_put("/tokens/lifetime", control.lifetime)
    app.router.add_post("/tokens/revoke", control.revoke)


def fault_status(cloud: Cloud) -> Mapping[str, object]:
    """Return the faults in force, and how many requests they hit so far."""
    return {
        "faults": [one.as_json() for one in cloud.context.faults.active()],
        "hits": {service: cloud.context.faults.hits[service] for service in SERVICES},
        "grants_off": [
            name
            for name, principal in principals(cloud.deployment).items()
            if cloud.context.authorization.is_suspended(principal)
        ],
        "token_seconds": cloud.context.issuer.seconds,
    }


class _FaultRoutes:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def show(self, _: web.Request) -> web.Response:
        return web.json_response(fault_status(self._cloud))

    async def set(self, request: web.Request) -> web.Response:
        fault = Fault.from_json(await _document(request))
        vaults = list(self._cloud.vaults)
        # A fault of a vault that does not exist would never hit, and nobody would see why.
        if fault.vault is not None and fault.vault.lower() not in map(str.lower, vaults):
            raise FaultError(unknown_name(fault.vault, vaults, "vault"))
        queues = [queue.name for queue in self._cloud.bus.namespace.queues]
        if fault.queue is not None and fault.queue.lower() not in map(str.lower, queues):
            raise FaultError(unknown_name(fault.queue, queues, "queue"))
        number = self._cloud.context.faults.set(fault)
        self._cloud.bus.server.availability_changed()
        return web.json_response({"fault": number})

    async def clear(self, request: web.Request) -> web.Response:
        given = request.query.get("service")
        if given is not None and given not in SERVICES:
            raise FaultError(f"service must be one of {', '.join(SERVICES)}")
        service: Service | None = next((one for one in SERVICES if one == given), None)
        cleared = self._cloud.context.faults.clear(service)
        if service in {None, "bus"}:
            # A connection may be idle for long: cut much later, nobody would know by what.
            self._cloud.bus.server.keep_connections()
        self._cloud.bus.server.availability_changed()
        return web.json_response({"cleared": cleared})

    async def clear_number(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        cleared = self._cloud.context.faults.clear_number(number)
        if cleared is None:
            raise FaultError(f"fault {number} is not in force")
        self._cloud.bus.server.availability_changed()
        return web.json_response({"cleared": 1, "hits": cleared.hits})

    async def grant(self, request: web.Request) -> web.Response:
        identity, state = request.match_info["identity"], request.match_info["state"]
        known = principals(self._cloud.deployment)
        if identity not in known:
            raise FaultError(unknown_name(identity, known, "identity"))
        if state == "off":
            self._cloud.context.authorization.suspend(known[identity])
        else:
            self._cloud.context.authorization.restore(known[identity])
        return web.json_response({"identity": identity, "grants": state})

    async def clock(self, request: web.Request) -> web.Response:
        ahead = await _number(request, "ahead", low=0, high=_YEAR)
        self._cloud.bus.server.advance_clock(ahead)
        return web.json_response({"ahead": ahead})

    async def lifetime(self, request: web.Request) -> web.Response:
        seconds = await _number(request, "seconds", low=1, high=_DAY)
        self._cloud.context.issuer.seconds = seconds
        return web.json_response({"seconds": seconds})

    async def revoke(self, _: web.Request) -> web.Response:
        self._cloud.context.issuer.revoke()
        # A connection is authorized by the token shown on it, so it has to be opened again.
        self._cloud.bus.server.drop_connections()
        return web.json_response({"tokens": "revoked"})


async def _document(request: web.Request) -> object:
    try:
        return await read_json(request)
    except ValueError as error:
        raise FaultError(str(error)) from None


async def _number(request: web.Request, name: str, low: int, high: int) -> int:
    """Read a document that has this one number."""
    document = StrictObject(await _document(request), DocumentPath(FaultError))
    number = document.number(name, low=low, high=high)
    document.reject_unread()
    return number

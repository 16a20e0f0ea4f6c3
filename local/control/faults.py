"""The part of the control endpoint that makes things go wrong, and right again."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from local.authorization.grants import principals
from local.faults.fault_document import FaultError
from local.faults.faults import SERVICES, Fault, Service
from local.runtime.cloud import Cloud

_DAY = 24 * 60 * 60

_YEAR = 366 * 24 * 3600


def add_faults(app: web.Application, cloud: Cloud) -> None:
    """Add these commands to the control endpoint.

    - `GET /faults`
    - `POST /faults` with a fault as `local.faults.faults.Fault` describes it, such as
      `{"service": "partner", "answer": "status", "status": 429, "retry_after": 5, "times": 10}`;
      answers `{"fault": its number}`
    - `DELETE /faults`, `/faults?service=partner`, `/faults/{number}`
    - `PUT /grants/{identity}/off`, `/grants/{identity}/on`
    - `PUT /bus/clock` with `{"ahead": seconds}`: the queues live so far ahead of the real time
    - `PUT /tokens/lifetime` with `{"seconds": whole number}`, of the tokens made from then on
    - `POST /tokens/revoke`: all tokens made so far are expired, and connections of the bus that
      were made with them are broken. The Azure SDKs go on using a token until its own
      time is over; of tokens that live for less than five minutes they ask anew after 30 seconds
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
    """Return what is made to go wrong, and how many requests were struck so far."""
    return {
        "faults": [one.as_json() for one in cloud.faults.active()],
        "hits": {service: cloud.faults.hits[service] for service in SERVICES},
        "grants_off": [
            name
            for name, principal in principals(cloud.deployment).items()
            if cloud.authorization.is_suspended(principal)
        ],
        "token_seconds": cloud.issuer.seconds,
    }


class _FaultRoutes:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def show(self, _: web.Request) -> web.Response:
        return web.json_response(fault_status(self._cloud))

    async def set(self, request: web.Request) -> web.Response:
        fault = Fault.from_json(await _document(request))
        vaults = list(self._cloud.vaults)
        # A vault that is not there would never be struck, and nobody would see why.
        if fault.vault is not None and fault.vault.lower() not in map(str.lower, vaults):
            raise FaultError(f"there is no such vault; there is: {', '.join(vaults)}")
        return web.json_response({"fault": self._cloud.faults.set(fault)})

    async def clear(self, request: web.Request) -> web.Response:
        at = request.query.get("service")
        if at is not None and at not in SERVICES:
            raise FaultError(f"service must be one of {', '.join(SERVICES)}")
        service: Service | None = next((one for one in SERVICES if one == at), None)
        return web.json_response({"cleared": self._cloud.faults.clear(service)})

    async def clear_number(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if not self._cloud.faults.clear_number(number):
            raise FaultError(f"fault {number} is not in force")
        return web.json_response({"cleared": 1})

    async def grant(self, request: web.Request) -> web.Response:
        identity, state = request.match_info["identity"], request.match_info["state"]
        known = principals(self._cloud.deployment)
        if identity not in known:
            raise FaultError(f"there is no such identity; there is: {', '.join(known)}")
        if state == "off":
            self._cloud.authorization.suspend(known[identity])
        else:
            self._cloud.authorization.restore(known[identity])
        return web.json_response({"identity": identity, "grants": state})

    async def clock(self, request: web.Request) -> web.Response:
        asked = await request.json()
        ahead = asked.get("ahead") if isinstance(asked, dict) else None
        if not isinstance(ahead, int) or isinstance(ahead, bool) or not 0 <= ahead <= _YEAR:
            raise FaultError(f"say how far: {{'ahead': seconds}}, from 0 to {_YEAR}")
        self._cloud.bus.advance_clock(ahead)
        return web.json_response({"ahead": ahead})

    async def lifetime(self, request: web.Request) -> web.Response:
        asked = await _document(request)
        seconds = asked.get("seconds") if isinstance(asked, dict) else None
        if not isinstance(seconds, int) or isinstance(seconds, bool):
            raise FaultError("say how long: {'seconds': whole number}")
        if not 1 <= seconds <= _DAY:
            raise FaultError(f"tokens live for 1 to {_DAY} seconds")
        self._cloud.issuer.seconds = seconds
        return web.json_response({"seconds": seconds})

    async def revoke(self, _: web.Request) -> web.Response:
        self._cloud.issuer.revoke()
        # A connection is trusted for what was shown on it, so it has to be made anew.
        self._cloud.bus.drop_connections()
        return web.json_response({"tokens": "revoked"})


async def _document(request: web.Request) -> object:
    try:
        document: object = await request.json()
    except ValueError:
        raise FaultError("the body is not JSON") from None
    return document

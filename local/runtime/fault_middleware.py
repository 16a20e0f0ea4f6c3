"""Middleware that injects faults before the partner, a vault or the identity endpoint."""

from __future__ import annotations

import asyncio
import uuid

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.faults.faults import Fault, Faults, ObservedRequest
from local.identity.imds import error
from local.key_vault.errors import KeyVaultError
from local.key_vault.operations import parse

_POLL = 0.1  # seconds between checks whether a client that gets no answer is still connected
# Cut inside a header's name, so that no client takes it for a complete answer.
_BEGINNING = b"HTTP/1.1 200 OK\r\nContent-Ty"
_VAULT_ERRORS = {
    429: ("Throttled", "Request was not processed because too many requests were received."),
    500: ("InternalServerError", "Unexpected error."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
}


def partner_faults(faults: Faults) -> Middleware:
    """Inject the partner's faults for each message posted, with any signature or none."""

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST" or not faults.any_at("partner"):
            return await handler(request)
        fault = faults.decide(
            ObservedRequest(
                "partner",
                id=request.headers.get("webhook-id", ""),
                content_type=request.headers.get("Content-Type", ""),
                body=await request.read(),
            )
        )
        if fault is not None and fault.deliver_first:
            await handler(request)
        plain = web.Response(status=fault.status or 500) if fault else web.Response()
        return await _answer(fault, request, handler, plain)

    return inject


def vault_faults(faults: Faults, vault: str) -> Middleware:
    """Inject the faults of one vault for each operation that is requested with a token."""

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        operation = _operation(request) if faults.any_at("vault") else None
        if operation is None:
            return await handler(request)
        fault = faults.decide(ObservedRequest("vault", vault=vault, operation=operation))
        status = (fault.status if fault else None) or 500
        code, message = _VAULT_ERRORS.get(status, ("Fault", "An injected fault."))
        body = KeyVaultError(status, code, message).body()
        return await _answer(fault, request, handler, web.json_response(body, status=status))

    return inject


def identity_faults(faults: Faults) -> Middleware:
    """Inject the identity endpoint's faults for each request of a token."""

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = faults.decide(ObservedRequest("identity"))
        status = (fault.status if fault else None) or 500
        body = {
            "statusCode": status,
            "message": "An injected fault.",
            "correlationId": str(uuid.uuid4()),
        }
        return await _answer(fault, request, handler, web.json_response(body, status=status))

    return inject


def imds_faults(faults: Faults) -> Middleware:
    """Inject the same faults at the metadata service of a machine."""

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = faults.decide(ObservedRequest("identity"))
        status = (fault.status if fault else None) or 500
        refusal = error(status, "fault", "An injected fault.")
        return await _answer(fault, request, handler, refusal)

    return inject


async def _answer(
    fault: Fault | None, request: web.Request, handler: Handler, refusal: web.Response
) -> web.StreamResponse:
    """Answer as the fault says; `refusal` is the service's own answer with its status."""
    if fault is None:
        return await handler(request)
    if fault.answer == "slow":
        await asyncio.sleep(fault.seconds or 0)
        return await handler(request)
    if fault.answer in ("status", "redirect"):
        if fault.retry_after is not None:
            refusal.headers["Retry-After"] = fault.retry_after
        if fault.answer == "redirect":
            refusal.headers["Location"] = "/redirected"
        return refusal
    return await _break(fault, request)


async def _break(fault: Fault, request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None and fault.answer == "close":
        transport.write(_BEGINNING)
        transport.close()
    if transport is not None and fault.answer == "drop":
        transport.abort()
    while request.transport is not None:  # noqa: ASYNC110 - aiohttp has no event for it
        await asyncio.sleep(_POLL)
    return web.Response()  # to nobody: the connection is closed


def _operation(request: web.Request) -> str | None:
    # The SDKs' first request has no token, to get the challenge. It does not count as an operation:
    # a fault for the next operation must not be used up by it.
    if "Authorization" not in request.headers:
        return None
    try:
        call = parse(request.method, request.rel_url.raw_path)
    except KeyVaultError:
        return None
    return f"{call.operation.kind}/{call.operation.name}"

"""The part of the control endpoint that serves the audit log, and which grants are used."""

from __future__ import annotations

from aiohttp import web

from local.authorization.audit_log import AuditLog, as_json
from local.net.query import whole_number

_MAX_PAGE = 1000


def add_decisions(app: web.Application, audit_log: AuditLog) -> None:
    """Add these commands to the control endpoint.

    - `GET /decisions?after=N&limit=M`: `{"decisions": [...], "last": n, "dropped": n}`, up to M
      (1000) of those after number N (0), oldest first, each as
      `local.authorization.audit_log.AuditRecord`; `last` is the newest number, `dropped` how many
      after N are no longer kept
    - `GET /grants/used`: how often each right was used, and when last, by identity, object and
      operation; without those of access audits
    """
    control = _DecisionRoutes(audit_log)
    app.router.add_get("/decisions", control.after)
    app.router.add_get("/grants/used", control.used)


class _DecisionRoutes:
    def __init__(self, audit_log: AuditLog) -> None:
        self._audit_log = audit_log

    async def after(self, request: web.Request) -> web.Response:
        after, limit = whole_number(request, "after", 0), whole_number(request, "limit", _MAX_PAGE)
        return web.json_response(as_json(self._audit_log.after(after, min(limit, _MAX_PAGE))))

    async def used(self, _: web.Request) -> web.Response:
        return web.json_response(self._audit_log.uses())

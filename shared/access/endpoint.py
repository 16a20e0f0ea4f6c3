"""`GET /api/access`: this app probes what its identities may do, beside what is declared.

`python -m ops prove` asks all apps and compares their answers.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

import azure.functions as func

from shared.access.declaration import Declaration, NotDeclaredError, own, verdict
from shared.settings.inventory import Inventory
from shared.settings.settings import AppSettings
from shared.standards.problems import Problem

if TYPE_CHECKING:
    from shared.access.probing import ProbeFinding

# Less than the 230 seconds after which Azure's front end gives up on an answer.
_SECONDS = 120.0
_METHODS = ("GET", "HEAD")
_BUSY = Problem(
    HTTPStatus.CONFLICT,
    "access is being probed already: ask again when that is done",
    retry_after=5,
)

_log = logging.getLogger("relay.access")


def blueprint(apps: list[str], settings: AppSettings, inventory: Inventory) -> func.Blueprint:
    """Register the function `access`; `settings` are those of any app of this process."""
    functions = func.Blueprint()
    app = ",".join(apps)

    async def probe() -> Sequence[ProbeFinding]:
        # Imported only on request: an app does not start with the clients of all others.
        from shared.access.probes import ProbeTarget
        from shared.access.probing import probe_in_app

        target = ProbeTarget(inventory, settings.bus_namespace, settings.network)
        identities = {**inventory.identities, own(app): None}
        return await probe_in_app(target, app, identities, _SECONDS)

    endpoint = AccessEndpoint(app, inventory, probe, Declaration.load)

    # With the master key only: who calls it makes this app use all of its rights, however
    # harmlessly, and learns where a deployment is wider than it should be.
    @functions.route("access", methods=_METHODS, auth_level=func.AuthLevel.ADMIN)
    async def access(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host names it
        return await endpoint.answer()

    return functions


class AccessEndpoint:
    """One run of the probes at a time in a process: each makes dozens of connections and requests.

    `declared` reads what was deployed with this app, or raises `NotDeclaredError`.
    """

    def __init__(
        self,
        app: str,
        inventory: Inventory,
        probe: Callable[[], Awaitable[Sequence[ProbeFinding]]],
        declared: Callable[[], Declaration],
    ) -> None:
        self._app = app
        self._inventory = inventory
        self._probe = probe
        self._declared = declared
        self._running = False

    async def answer(self) -> func.HttpResponse:
        """Answer 200 with a finding for each operation, or 409 while another run is under way."""
        if self._running:
            return _BUSY.response()
        self._running = True
        try:
            body = await self._run()
        finally:
            self._running = False
        return func.HttpResponse(json.dumps(body), mimetype="application/json")

    async def _run(self) -> Mapping[str, object]:
        began = time.monotonic()
        findings = await self._probe()
        seconds = time.monotonic() - began
        counts = Counter(finding.outcome for finding in findings)
        _log.info("access probed in %.1f s: %s", seconds, dict(counts))
        declaration = self._declaration()
        return {
            "app": self._app,
            "seconds": round(seconds, 3),
            "declaration": declaration and declaration.digest,
            "objects": {
                "keys": [key.url for key in self._inventory.keys],
                "secrets": [secret.url for secret in self._inventory.secrets],
                "queues": list(self._inventory.queues),
            },
            "findings": [_as_json(finding, declaration) for finding in findings],
        }

    def _declaration(self) -> Declaration | None:
        """Without a declaration in its package, an app reports what is, and nothing more."""
        try:
            return self._declared()
        except NotDeclaredError:
            return None


def _as_json(finding: ProbeFinding, declaration: Declaration | None) -> Mapping[str, object]:
    grant = finding.grant
    report: dict[str, object] = {
        "identity": grant.identity,
        "kind": grant.kind,
        "object": grant.object,
        "operation": grant.operation,
        "actual": finding.outcome,
        "detail": finding.detail,
    }
    if declaration:
        declared = grant in declaration.grants
        report["declared"] = "allowed" if declared else "refused"
        report["verdict"] = verdict(finding.outcome, declared=declared)
    return report

"""`GET /api/access`: this app tries what its identities may do, and says how that is declared.

`python -m ops prove` asks all apps and draws the conclusion.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

import azure.functions as func

from shared.access.declaration import Declaration, NotDeclaredError, own, verdict
from shared.settings.inventory import Inventory
from shared.settings.settings import AppSettings
from shared.standards.problems import problem

if TYPE_CHECKING:
    from shared.access.probing import ProbeFinding

# Less than the 230 seconds after which Azure's front end gives up on an answer.
_SECONDS = 120.0

_log = logging.getLogger("relay.access")


def blueprint(apps: list[str], settings: AppSettings, known: Inventory) -> func.Blueprint:
    """Register the function `access`; `settings` are those of any app of this process."""
    functions = func.Blueprint()
    prover = _Prover(",".join(apps), settings, known)

    # With the master key only: who calls it makes this app use all of its rights, however
    # harmlessly, and learns where a deployment is wider than it should be.
    @functions.route("access", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
    async def access(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host names it
        return await prover.answer()

    return functions


class _Prover:
    """One run at a time in a process: a run makes dozens of connections and requests."""

    def __init__(self, app: str, settings: AppSettings, known: Inventory) -> None:
        self._app = app
        self._settings = settings
        self._known = known
        self._running = False

    async def answer(self) -> func.HttpResponse:
        if self._running:
            detail = "Access is being proven already: ask again when that is done."
            return problem(HTTPStatus.CONFLICT, detail, retry_after=5)
        self._running = True
        try:
            body = await self._prove()
        finally:
            self._running = False
        return func.HttpResponse(json.dumps(body), mimetype="application/json")

    async def _prove(self) -> Mapping[str, object]:
        # Only when it is asked for: no app starts with the means of all the others.
        from shared.access.probes import ProbeTarget
        from shared.access.probing import tried_in_app

        began = time.monotonic()
        place = ProbeTarget(self._known, self._settings.bus_namespace, self._settings.network)
        identities = {**self._known.identities, own(self._app): None}
        findings = await tried_in_app(place, self._app, identities, _SECONDS)
        seconds = time.monotonic() - began
        counts = Counter(finding.outcome for finding in findings)
        _log.info("access tried in %.1f s: %s", seconds, dict(counts))
        declaration = _declaration()
        return {
            "app": self._app,
            "seconds": round(seconds, 3),
            "declaration": declaration and declaration.digest,
            "objects": {
                "keys": [key.url for key in self._known.keys],
                "secrets": [secret.url for secret in self._known.secrets],
                "queues": list(self._known.queues),
            },
            "findings": [_as_json(finding, declaration) for finding in findings],
        }


def _declaration() -> Declaration | None:
    """Read what was deployed with this app; a package without it can tell no more than what is."""
    try:
        return Declaration.load()
    except NotDeclaredError:
        return None


def _as_json(finding: ProbeFinding, declaration: Declaration | None) -> Mapping[str, object]:
    grant = finding.grant
    told: dict[str, object] = {
        "identity": grant.identity,
        "kind": grant.kind,
        "object": grant.object,
        "operation": grant.operation,
        "actual": finding.outcome,
        "detail": finding.detail,
    }
    if declaration:
        declared = grant in declaration.grants
        told["declared"] = "allowed" if declared else "refused"
        told["verdict"] = verdict(finding.outcome, declared=declared)
    return told

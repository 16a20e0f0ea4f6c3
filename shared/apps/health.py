"""`GET /api/health`: this app has valid settings and answers, or which of them are wrong."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus

import azure.functions as func

from shared.standards.problems import Problem

_METHODS = ("GET", "HEAD")
_log = logging.getLogger("relay.health")


def blueprint(apps: list[str]) -> func.Blueprint:
    """Register the health function, which says which apps this process runs."""
    functions = func.Blueprint()

    # Anonymous, and so it says nothing that an attacker could use.
    @functions.route("health", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
    def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host names it
        body = json.dumps({"status": "ok", "apps": apps})
        return func.HttpResponse(body, mimetype="application/json")

    return functions


def refusal(problems: list[str]) -> func.Blueprint:
    """Register health alone, which says what is wrong with the settings, and log that.

    Without any function the host would go on, as `Running`, and answer 404. With the others the
    app would receive messages that it cannot handle. `problems` name settings, never a value.
    """
    functions = func.Blueprint()
    answer = Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "this app runs nothing but this answer, because settings of it are wrong: correct those "
        "that `problems` names, and it restarts",
        members={"problems": problems},
    )
    _log.error("nothing runs here, because settings are wrong:%s", "".join(map(_line, problems)))

    # Anonymous as well: whoever looks has no key yet, and names of settings open nothing.
    @functions.route("health", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
    def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host names it
        return answer.response()

    return functions


def _line(problem: str) -> str:
    return f"\n  {problem}"

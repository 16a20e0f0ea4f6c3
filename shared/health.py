"""`GET /api/health`: this app has valid settings and answers."""

from __future__ import annotations

import json

import azure.functions as func


def blueprint(apps: list[str]) -> func.Blueprint:
    """Register the health function, which tells which apps this process runs."""
    functions = func.Blueprint()

    # Anonymous, and so it says nothing that a stranger could use.
    @functions.route("health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host names it
        body = json.dumps({"status": "ok", "apps": apps})
        return func.HttpResponse(body, mimetype="application/json")

    return functions

"""What one instance of the receiver may do, of what the partner bears from all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks.declaration import Access, DeclaredApp

_MAX_INSTANCES = 40  # without a limit, as `infra/modules/site.bicep` has it


def chosen_settings(access: Access, parameters: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the optional settings of each app that the parameters of a deployment give it."""
    return {
        app["name"]: {
            **partner_settings(access, app, parameters),
            **parameters["appSettings"].get(app["name"], {}),
        }
        for app in access["apps"]
    }


def partner_settings(
    access: Access, app: DeclaredApp, parameters: Mapping[str, Any]
) -> dict[str, str]:
    """Return an instance's part of the limits, rounded down; none for an app that posts nothing."""
    if "partner" not in app["identities"]:
        return {}
    settings = {}
    instances = posting_instances(access, app, parameters["scale"].get(app["name"], {}))
    if concurrency := parameters["partnerConcurrency"]:
        settings["RELAY_PARTNER_CONCURRENCY"] = str(max(1, concurrency // instances))
    if rate := parameters["partnerRate"]:
        settings["RELAY_PARTNER_RATE"] = f"{max(1, rate * 1000 // instances) / 1000:.3f}"
    return settings


def posting_instances(access: Access, app: DeclaredApp, scale: Mapping[str, Any]) -> int:
    """Count the instances that may post at once.

    Each function of a queue scales on its own, and instances that are always ready come on top
    (see `checks.connections`). What triages dead letters never posts.
    """
    triaged = {queue.get("forwardDeadLettersTo") for queue in access["queues"]}
    trigger = app.get("trigger")
    functions = [queue for queue in trigger["queues"] if queue not in triaged] if trigger else []
    most = scale.get("maximumInstanceCount", _MAX_INSTANCES)
    ready = sum(one["instanceCount"] for one in scale.get("alwaysReady", []))
    return max(1, len(functions)) * int(most) + int(ready)

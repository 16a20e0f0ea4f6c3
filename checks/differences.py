"""Where a deployment departs from the declaration, both ways."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from checks.declaration import Access
from checks.declared_rights import declared_rights
from checks.declared_settings import declared_settings
from checks.machines import (
    COMMAND,
    MACHINE,
    asked_for,
    declared_commands,
    deployed_commands,
)
from checks.queue_sizes import DEFAULTS
from checks.redaction import HIDDEN, shown
from checks.rights import Right, covers, given_twice, half_given, rights, without_effect
from checks.snapshot import (
    PredictedResource,
    Snapshot,
    at,
    of_type,
    operators,
    place,
    properties,
    render,
)


@dataclass(frozen=True, order=True)
class Difference:
    """Something declared that is `missing`, or something deployed that is `undeclared`."""

    kind: Literal["missing", "undeclared"]
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def differences(
    access: Access, snapshot: Snapshot, optional: Mapping[str, Mapping[str, str]] | None = None
) -> list[Difference]:
    """Compare a deployment with the declaration.

    `optional` are the settings by app that the deployment was given beside those declared, which
    replace none of them.
    """
    access = asked_for(access, snapshot)
    found = [
        *_compared(_declared_resources(access), _deployed_resources(snapshot)),
        *_compared(_declared_attachments(access), _deployed_attachments(snapshot)),
        *_compared(_declared_packages(access), _deployed_packages(snapshot)),
        *_rights(access, snapshot),
        *_compared(_declared_queues(access), _deployed_queues(snapshot)),
        *_settings(access, snapshot, optional or {}),
        *_compared(declared_commands(access), deployed_commands(snapshot)),
    ]
    return sorted(set(found))


def _compared(declared: Iterable[str], deployed: Iterable[str]) -> Iterator[Difference]:
    wanted, there = set(declared), set(deployed)
    yield from (Difference("missing", what) for what in wanted - there)
    yield from (Difference("undeclared", what) for what in there - wanted)


def _declared_resources(access: Access) -> Iterator[str]:
    yield from (f"identities/{identity['name']}" for identity in access["identities"])
    yield from (f"operators/{operator['name']}" for operator in access["operators"])
    yield from (f"apps/{app['name']}" for app in access["apps"])
    for machine in access["machines"]:
        yield f"machines/{machine['name']}"
        yield f"machines/{machine['name']}/runcommands/read-secret"
    yield from (f"vaults/{vault['name']}" for vault in access["vaults"])
    yield from (f"vaults/{key['vault']}/keys/{key['name']}" for key in access["keys"])
    yield from (
        f"vaults/{secret['vault']}/secrets/{secret['name']}" for secret in access["secrets"]
    )
    yield from (f"bus/relay/queues/{queue['name']}" for queue in access["queues"])


_DECLARED_TYPES = (
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Web/sites",
    MACHINE,
    COMMAND,
    "Microsoft.KeyVault/vaults",
    "Microsoft.KeyVault/vaults/keys",
    "Microsoft.KeyVault/vaults/secrets",
    "Microsoft.ServiceBus/namespaces/queues",
)


def _deployed_resources(snapshot: Snapshot) -> Iterator[str]:
    for kind in _DECLARED_TYPES:
        yield from (place(snapshot, resource["id"]) for resource in of_type(snapshot, kind))
    yield from (f"operators/{name}" for name, ids in operators(snapshot).items() if ids)


def _declared_attachments(access: Access) -> Iterator[str]:
    for app in access["apps"]:
        yield f"apps/{app['name']} has an identity of its own"
        yield from (f"apps/{app['name']} has identities/{name}" for name in app["identities"])
    for machine in access["machines"]:
        here = f"machines/{machine['name']}"
        if machine["systemIdentity"]:
            yield f"{here} has an identity of its own"
        yield from (f"{here} has identities/{name}" for name in machine["identities"])


def _deployed_attachments(snapshot: Snapshot) -> Iterator[str]:
    """Whatever has identities counts, an app or not: it can be each of them."""
    for resource in snapshot["predictedResources"]:
        identity = resource.get("identity", {})
        here = place(snapshot, resource["id"])
        if "systemassigned" in str(identity.get("type", "")).lower():
            yield f"{here} has an identity of its own"
        for attached in identity.get("userAssignedIdentities", {}):
            yield f"{here} has {place(snapshot, attached)}"


def _declared_packages(access: Access) -> Iterator[str]:
    for app in access["apps"]:
        yield f"apps/{app['name']} stores its package under identities/{app['package']}"


def _deployed_packages(snapshot: Snapshot) -> Iterator[str]:
    for site in of_type(snapshot, "Microsoft.Web/sites"):
        under = at(site, "functionAppConfig.deployment.storage.authentication")
        if isinstance(under, dict) and (who := under.get("userAssignedIdentityResourceId")):
            here = place(snapshot, site["id"])
            yield f"{here} stores its package under {place(snapshot, who)}"


def _rights(access: Access, snapshot: Snapshot) -> Iterator[Difference]:
    declared, deployed = declared_rights(access), rights(snapshot)
    for wanted in declared:
        if not any(_includes(right, wanted) for right in deployed):
            yield Difference("missing", str(wanted))
    # A right at a wider scope is not the declared one, even with one object below it today.
    yield from (Difference("undeclared", str(right)) for right in deployed - declared)
    yield from (Difference("undeclared", f"{right}, twice") for right in given_twice(snapshot))
    yield from (Difference("undeclared", what) for what in without_effect(snapshot))
    for right, lacking in half_given(snapshot):
        if right in declared:
            yield Difference("missing", f"{right}: its policy lacks {lacking}")


def _includes(right: Right, wanted: Right) -> bool:
    same = (right.who, right.action) == (wanted.who, wanted.action)
    return same and covers(right.where, wanted.where)


# What Service Bus does by default.
_DELIVERIES = 10
_LOCK = "PT1M"


def _declared_queues(access: Access) -> Iterator[str]:
    for queue in access["queues"]:
        if "forwardTo" in queue:
            yield f"{queue['name']} forwards to {queue['forwardTo']}"
        if "forwardDeadLettersTo" in queue:
            yield f"{queue['name']} forwards dead letters to {queue['forwardDeadLettersTo']}"
        if "duplicateDetection" in queue:
            yield f"{queue['name']} drops duplicates within {queue['duplicateDetection']}"
        if "lockDuration" in queue:
            yield f"{queue['name']} locks for {queue['lockDuration']}"
        if "maxDeliveryCount" in queue:
            yield f"{queue['name']} delivers {queue['maxDeliveryCount']} times"


def _deployed_queues(snapshot: Snapshot) -> Iterator[str]:
    for queue in of_type(snapshot, "Microsoft.ServiceBus/namespaces/queues"):
        name, given = queue["name"].rsplit("/", 1)[1], properties(queue)
        if "forwardTo" in given:
            yield f"{name} forwards to {given['forwardTo']}"
        if "forwardDeadLetteredMessagesTo" in given:
            yield f"{name} forwards dead letters to {given['forwardDeadLetteredMessagesTo']}"
        if given.get("requiresDuplicateDetection"):
            window = given.get("duplicateDetectionHistoryTimeWindow", "PT10M")
            yield f"{name} drops duplicates within {window}"
        if given.get("lockDuration", _LOCK) != _LOCK:
            yield f"{name} locks for {given['lockDuration']}"
        if given.get("maxDeliveryCount", _DELIVERIES) != _DELIVERIES:
            yield f"{name} delivers {given['maxDeliveryCount']} times"


def _deployed_sizes(snapshot: Snapshot) -> dict[str, int]:
    """Return the size of each queue in MB; `checks.properties` compares them with the choice."""
    return {
        queue["name"].rsplit("/", 1)[1]: properties(queue)["maxSizeInMegabytes"]
        for queue in of_type(snapshot, "Microsoft.ServiceBus/namespaces/queues")
        if isinstance(properties(queue).get("maxSizeInMegabytes"), int)
    }


# What `render` makes of a value that exists only at run time.
_REFERENCE = re.compile(r"\w+ of \w+/[\w/.-]+")


def deployed_settings(snapshot: Snapshot, site: PredictedResource) -> list[tuple[str, str]]:
    """Return an app's settings of the snapshot, values as `render` returns them."""
    given = properties(site).get("siteConfig", {}).get("appSettings", [])
    return [(entry["name"], render(snapshot, entry["value"])) for entry in given]


def _settings(
    access: Access, snapshot: Snapshot, optional: Mapping[str, Mapping[str, str]]
) -> Iterator[Difference]:
    sites = {place(snapshot, s["id"]): s for s in of_type(snapshot, "Microsoft.Web/sites")}
    sizes = {**DEFAULTS, **_deployed_sizes(snapshot)}
    for app in access["apps"]:
        here = f"apps/{app['name']}"
        if here not in sites:
            continue
        given = deployed_settings(snapshot, sites[here])
        chosen = optional.get(app["name"], {})
        wanted = {**chosen, **declared_settings(access, app, chosen, sizes)}
        yield from _compared(
            (f"{here} has the setting {name} = {value}" for name, value in wanted.items()),
            (f"{here} has the setting {n} = {_shown(n, v, wanted)}" for n, v in given),
        )
        for name, count in Counter(name for name, _ in given).items():
            if count > 1:
                yield Difference("undeclared", f"{here} has the setting {name} {count} times")


def _shown(name: str, value: str, wanted: Mapping[str, str]) -> str:
    """Show a setting's value if it is the declared one, or cannot be a secret."""
    if value == wanted.get(name) or _REFERENCE.fullmatch(value):
        return value
    return HIDDEN if shown([name], value) == HIDDEN else value

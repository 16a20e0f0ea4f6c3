"""Shared access rules of namespaces, queues and topics: the local cloud serves no keys of them.

Where local authentication is off they give nobody access, in Azure and here, and are listed as
without effect. Where it is on they would, so that the deployment is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from local.deployment.readers.service_bus import KIND, QUEUE_KIND, TOPIC_KIND
from local.deployment.resource_id import within
from local.deployment.resources import NamespaceSpec
from local.deployment.snapshot import SnapshotResource

KINDS = tuple(f"{kind}/authorizationRules" for kind in (KIND, QUEUE_KIND, TOPIC_KIND))
_RIGHTS = ("Manage", "Send", "Listen")


def check(resource: SnapshotResource, namespaces: Sequence[NamespaceSpec]) -> None:
    """Read a rule of one of the namespaces. Raises `DeploymentError`."""
    found_at = resource.properties.found_at / "rights"
    rights = resource.properties.texts("rights")
    resource.reject_unread()
    if not rights or len(set(rights)) < len(rights) or any(one not in _RIGHTS for one in rights):
        raise found_at.error(f"must be one or more of {', '.join(_RIGHTS)}")
    if "Manage" in rights and len(rights) < len(_RIGHTS):
        raise found_at.error("Manage needs Send and Listen beside it")
    owner = next(one for one in namespaces if within(resource.id, one.resource_id))
    if owner.local_auth:
        raise resource.found_at.error(
            "gives access by a shared key, which the local cloud does not serve: set "
            f"disableLocalAuth: true on the namespace {owner.name}, and let clients use identities"
        )

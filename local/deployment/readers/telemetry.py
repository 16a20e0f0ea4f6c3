"""Application Insights: nothing is sent there from this machine."""

from __future__ import annotations

import uuid

from local.deployment.resource_id import normal
from local.deployment.snapshot import SnapshotResource

KIND = "Microsoft.Insights/components"
_NAMESPACE = uuid.UUID("2c1d7f0a-8a39-4c55-9d3a-3c5d2b6f1e40")


def connection(resource: SnapshotResource) -> tuple[str, str]:
    """Return the run-time property that names a component, and what it is here.

    The key is made up and nothing listens at the endpoint, so that whatever uses it sends nothing
    out.
    """
    key = uuid.uuid5(_NAMESPACE, normal(resource.id))
    return "ConnectionString", f"InstrumentationKey={key};IngestionEndpoint=https://127.0.0.1:9/"

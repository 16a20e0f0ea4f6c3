"""Which Service Bus an operator of Azure means, by the environment."""

from __future__ import annotations

from collections.abc import Mapping

NAMESPACE = "RELAY_BUS__fullyQualifiedNamespace"
_OUTPUT = "RELAY_BUS_NAMESPACE"  # what azd calls it


def namespace_in(environ: Mapping[str, str]) -> str | None:
    """Return the host of Service Bus from the setting of the apps, or from the output of azd."""
    return environ.get(NAMESPACE) or environ.get(_OUTPUT)

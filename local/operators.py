"""The environment that makes any program an operator of the deployment."""

from __future__ import annotations

from collections.abc import Mapping

from local.bus.principal import Access, Principal, Right
from local.resources import NamespaceSpec, Operator

_RIGHTS: tuple[Right, ...] = ("send", "listen")


def settings_of(operator: Operator, namespace: NamespaceSpec, access: Access) -> Mapping[str, str]:
    """Name the bus and the queues that the operator may use, as apps are told theirs."""
    who = Principal("identity", operator.identity.principal_id, None)
    usable = [
        queue.name
        for queue in namespace.queues
        if any(access.may(who, right, queue.name) for right in _RIGHTS)
    ]
    return {
        "RELAY_BUS__fullyQualifiedNamespace": namespace.host,
        **{f"RELAY_QUEUE_{name.upper().replace('-', '_')}": name for name in usable},
    }

"""What Azure refuses of a deployment by itself, whatever exists already."""

from __future__ import annotations

from local.resource_manager import (
    databases,
    flex,
    flex_config,
    names,
    roles,
    service_bus,
    storages,
    topics,
    vaults,
    virtual_machines,
)
from local.resource_manager.refusal import Refusal, Rule, found
from local.resource_manager.template import Template

RULES: tuple[Rule[Template], ...] = (
    *names.RULES,
    *flex.RULES,
    *flex_config.RULES,
    *vaults.RULES,
    *service_bus.RULES,
    *topics.RULES,
    *databases.RULES,
    *storages.RULES,
    *roles.RULES,
    *virtual_machines.RULES,
)


def refusals(snapshot: object) -> list[Refusal]:
    """Return what Azure would refuse of a snapshot, as JSON, in a first deployment.

    Whatever is malformed is ignored: `local.deployment.deployment` reports that.
    """
    return found(RULES, Template(snapshot))

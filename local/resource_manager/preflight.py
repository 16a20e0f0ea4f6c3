"""What Azure refuses of a deployment by itself, whatever is there already."""

from __future__ import annotations

from local.resource_manager import (
    databases,
    flex,
    flex_config,
    names,
    roles,
    service_bus,
    storages,
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
    *databases.RULES,
    *storages.RULES,
    *roles.RULES,
    *virtual_machines.RULES,
)


def refusals(snapshot: object) -> list[Refusal]:
    """Give what Azure would refuse of a snapshot, as JSON, in a first deployment.

    Whatever is malformed is passed by: `local.deployment.deployment` says what is.
    """
    return found(RULES, Template(snapshot))

"""What exists in Azure after a deployment, and how it changes with time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.resource_manager.databases import SERVER, SIZES
from local.resource_manager.template import Resource, Template
from local.resource_manager.vaults import KEY


@dataclass(frozen=True)
class ExistingDeployment:
    """What was deployed last, and what has changed since without a deployment.

    Resource ids are in lower case. `rotated`: keys with a version that no deployment created.
    `disks`: gigabytes that a server's disk has grown to, by its id. `recreated`: identities and
    apps that were deleted and created again, with another principal. `deleted_vaults`: names of
    vaults that are deleted, but not purged.
    """

    template: Template
    rotated: frozenset[str] = frozenset()
    disks: Mapping[str, int] = field(default_factory=dict)
    recreated: frozenset[str] = frozenset()
    deleted_vaults: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """A deployment over what exists."""

    before: ExistingDeployment
    after: Template

    def pairs(self, *kinds: str) -> list[tuple[Resource, Resource]]:
        """Return the resources of some kinds that exist: as they are, and as deployed now."""
        found = ((self.before.template.get(one.id), one) for one in self.after.of(*kinds))
        return [(old, new) for old, new in found if old is not None]


def after_a_year(template: Template) -> ExistingDeployment:
    """Return what a deployment has become after a year of use.

    Its keys are rotated, the disks that can grow have grown, and its identities were deleted once
    and created again: a deployment that is repeated has to succeed over all of that.
    """
    disks = {}
    for server in template.of(SERVER):
        size = server.known("storage.storageSizeGB")
        larger = [known for known in SIZES if isinstance(size, int) and known > size]
        if larger and server.at("storage.autoGrow") == "Enabled":
            disks[server.key] = larger[0]
    return ExistingDeployment(
        template,
        rotated=frozenset(key.key for key in template.of(KEY)),
        disks=disks,
        recreated=frozenset(one.key for one in template.resources),
    )

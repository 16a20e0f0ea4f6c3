"""What stands in Azure after a deployment, and what it becomes with time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.resource_manager.databases import SERVER, SIZES
from local.resource_manager.template import Resource, Template
from local.resource_manager.vaults import KEY


@dataclass(frozen=True)
class ExistingDeployment:
    """What was deployed last, and what has changed since without a deployment.

    Everything is named by resource ids as ids are compared, in small letters. `rotated`: keys with
    a version that no deployment made. `disks`: gigabytes that a server's disk has grown to.
    `recreated`: identities and apps that were deleted and made again, under another principal.
    `deleted_vaults`: names of vaults that are deleted, but not purged.
    """

    template: Template
    rotated: frozenset[str] = frozenset()
    disks: Mapping[str, int] = field(default_factory=dict)
    recreated: frozenset[str] = frozenset()
    deleted_vaults: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """A deployment over what stands."""

    before: ExistingDeployment
    after: Template

    def pairs(self, *kinds: str) -> list[tuple[Resource, Resource]]:
        """Give the resources of some kinds that stand already: as they are, and as deployed now."""
        found = ((self.before.template.get(one.id), one) for one in self.after.of(*kinds))
        return [(old, new) for old, new in found if old is not None]


def after_a_year(template: Template) -> ExistingDeployment:
    """Give what a deployment has become after a year of use.

    Its keys are rotated, its disks that may have grown, and its identities were deleted once and
    made again: what a deployment has to take that is done again.
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

"""What a deployment has and the local cloud does not serve; it is listed when the cloud starts.

A resource whose effect on vaults, queues or rights would be missing is refused instead: the local
cloud would allow or refuse what Azure does not.
"""

from __future__ import annotations

from local.deployment.readers import sites
from local.deployment.readers.identities import own_identity
from local.deployment.readers.references import References
from local.deployment.resource_id import normal, parent
from local.deployment.resources import Identity
from local.deployment.snapshot import SnapshotResource

_DECISIVE = (
    "microsoft.authorization/",
    "microsoft.keyvault/",
    "microsoft.managedidentity/",
    "microsoft.servicebus/",
)


class UnservedResources:
    """The resources that are not served. Raises `DeploymentError` for one that would matter."""

    def __init__(self) -> None:
        self._found: list[SnapshotResource] = []

    def add(self, resource: SnapshotResource) -> None:
        """Take a resource of a type without a reader."""
        if resource.type.lower().startswith(_DECISIVE):
            raise resource.found_at.error(f"{resource.type} is not supported here")
        self._found.append(resource)

    def split_sites(self, found: list[SnapshotResource]) -> list[SnapshotResource]:
        """Return the sites that are run: those of this project, which name themselves in RELAY_APP.

        Where none does, the deployment is another project's, whose apps run by their own tools.
        """
        if found and not any(map(sites.names_its_app, found)):
            self._found += found
            return []
        own = {normal(site.id) for site in found}
        for resource in self._found:
            if normal(parent(resource.id)) in own:
                raise resource.found_at.error(f"{resource.type} is not supported here")
        return found

    def refer(self, references: References) -> None:
        """Add the system-assigned identities, which roles may be assigned to."""
        for resource in self._found:
            references.add_app(resource.id, own_identity(resource))

    def identities(self) -> tuple[Identity, ...]:
        """Return their system-assigned identities."""
        own = (own_identity(resource).system_assigned for resource in self._found)
        return tuple(identity for identity in own if identity)

    @property
    def ids(self) -> tuple[str, ...]:
        """Their resource ids."""
        return tuple(resource.id for resource in self._found)

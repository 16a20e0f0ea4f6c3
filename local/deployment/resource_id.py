"""Azure resource ids: compared without regard to case, and nested by whole segments."""

from __future__ import annotations


def normal(resource_id: str) -> str:
    """Return the form in which all ids of one resource are equal.

    The root scope `/` becomes the empty string.
    Source: Azure Resource Manager, "resource names and ids are case-insensitive".
    """
    return resource_id.rstrip("/").lower()


def within(resource_id: str, scope: str) -> bool:
    """Return whether a resource is the scope itself or lies below it."""
    # By whole segments: `/keys/pay` must not become a scope of `/keys/payload`.
    return f"{normal(resource_id)}/".startswith(f"{normal(scope)}/")


def last(resource_id: str) -> str:
    """Return the name at an id's end."""
    return resource_id.rstrip("/").rpartition("/")[2]


def parent(resource_id: str) -> str:
    """Return the id of the resource that a child resource (`/…/<type>/<name>`) belongs to."""
    return resource_id.rstrip("/").rsplit("/", 2)[0]


def kind(resource_id: str) -> str:
    """Return the type of a resource, such as `Microsoft.KeyVault/vaults/keys`."""
    _, found, path = resource_id.rstrip("/").rpartition("/providers/")
    if not found:  # a resource group, which belongs to no provider
        return resource_id.rstrip("/").split("/")[-2]
    namespace, *names = path.split("/")
    return "/".join([namespace, *names[::2]])

"""What a handler of an operation gets and returns; no HTTP, and no authorization."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from local.key_vault import paging
from local.key_vault.api_versions import ApiVersion
from local.key_vault.errors import bad_parameter
from local.key_vault.object_table import ObjectTable
from local.key_vault.objects import KeyVersion, SecretVersion, V, VaultObject
from local.key_vault.operations import VaultRequest
from local.key_vault.paging import Entry
from local.key_vault.request_body import JsonObject
from local.key_vault.responses import ResponseBody

# Reads the request's body, once it is needed: what is wrong without it is reported first.
BodyReader: TypeAlias = Callable[[], Awaitable[JsonObject]]


@dataclass(frozen=True)
class Call:
    """An allowed request. `url` is the one of its path at the vault, `query` its parameters."""

    request: VaultRequest
    api: ApiVersion
    url: str
    query: Mapping[str, str]
    read_body: BodyReader

    @property
    def name(self) -> str:
        """The name of the object that the operation is on."""
        if self.request.object_name is None:
            raise bad_parameter("The request URI names no object.")
        return self.request.object_name

    def page(self, entries: Sequence[Entry]) -> ResponseBody:
        """Return the page that the request wants of a list."""
        return paging.page(entries, paging.parse(self.query), self.url, self.api.name)


# None is the response without a body (204).
Handler: TypeAlias = Callable[[Call], Awaitable[ResponseBody | None]]
Handlers: TypeAlias = Mapping[str, Handler]


def object_entries(
    objects: Sequence[VaultObject[V]], show: Callable[[VaultObject[V]], ResponseBody]
) -> list[Entry]:
    """Return the entries of a list of objects, which are in the order of their names."""
    return [Entry(one.name.lower(), show(one)) for one in objects]


_Shown_contra = TypeVar("_Shown_contra", bound=KeyVersion | SecretVersion, contravariant=True)


class ShowItem(Protocol[_Shown_contra]):
    """Shows an entry of a list: a version of an object, or with `of_object` the object itself."""

    def __call__(
        self, name: str, version: _Shown_contra, api: ApiVersion, /, *, of_object: bool = False
    ) -> ResponseBody:
        """Return the entry."""


def listing_handlers(table: ObjectTable[V], show: ShowItem[V]) -> Handlers:
    """Return the handlers that list what a table has, and the versions of one object."""

    async def list_objects(call: Call) -> ResponseBody:
        return call.page(
            object_entries(
                table.live(), lambda one: show(one.name, one.newest, call.api, of_object=True)
            )
        )

    async def list_versions(call: Call) -> ResponseBody:
        found = table.find(call.name)
        return call.page(
            _version_entries(found, lambda name, version: show(name, version, call.api))
        )

    return {"list": list_objects, "versions": list_versions}


def _version_entries(
    found: VaultObject[V] | None, show: Callable[[str, V], ResponseBody]
) -> list[Entry]:
    """Return the entries of a list of versions; none for an object that is not there, as in Azure.

    Versions are only ever added at the end, so their positions stay.
    """
    if found is None:
        return []
    return [
        Entry(f"{position:09}", show(found.name, version))
        for position, version in enumerate(found.versions)
    ]

"""`up` over a folder is a deployment over what exists there, as in Azure.

What is made once and exists stays as it is. What a template no longer has stays, too: Resource
Manager deploys incrementally, and deletes nothing. So a role assignment that was removed from a
template is in force until somebody deletes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.deployment.deployment import load_bytes
from local.deployment.resources import Deployment
from local.deployment.snapshot import DeploymentError, SnapshotLocation
from local.key_vault.store import rotated_keys
from local.resource_manager.existing import ExistingDeployment
from local.resource_manager.preflight import refusals
from local.resource_manager.refusal import Refusal
from local.resource_manager.template import Template, items, members
from local.resource_manager.update import blockers

FILE = "deployed.json"
_VERSION = 1
_VAULT = "microsoft.keyvault/vaults"
_SECRET = f"{_VAULT}/secrets"
# Secret values are in the vaults, if anywhere, and in no other file.
_SECRET_PROPERTIES = ("value", "administratorLoginPassword", "adminPassword", "customData")
_GROUP = re.compile(r"/subscriptions/[^/]+(?:/resourcegroups/[^/]+)?")

Json = Mapping[str, Any]


class DeploymentRefusedError(Exception):
    """Azure would refuse the deployment; `refusals` says what and why.

    `folder` has another deployment that conflicts with this one, if that is the reason.
    """

    def __init__(self, snapshot: Path, found: Sequence[Refusal], folder: Path | None) -> None:
        what = f"Azure would refuse to deploy {snapshot}"
        rest = "and so does the local cloud"
        if folder:
            what += f" over what exists in {folder}"
            rest = (
                "and nothing is changed there. To start from nothing, give another folder "
                "(--folder) or remove this one"
            )
        lines = "".join(f"\n  {refusal}" for refusal in found)
        super().__init__(f"{what}, {rest}:{lines}")
        self.refusals = tuple(found)
        self.folder = folder


@dataclass(frozen=True)
class Redeployment:
    """What to run, what to record of it in the folder, and what to show the user.

    `staying`: what an earlier deployment made and this one no longer has, id -> type.
    `rewritten`: ids of the secrets that this deployment changes something of, besides their values.
    """

    deployment: Deployment
    record: str
    staying: Mapping[str, str] = field(default_factory=dict)
    rewritten: frozenset[str] = frozenset()


def read(path: Path, content: bytes | None = None) -> bytes:
    """Read a snapshot, or take its `content`, whose source is `path`.

    Raises `DeploymentError`, and `DeploymentRefusedError` if Azure would refuse it.
    """
    try:
        content = path.read_bytes() if content is None else content
    except OSError as error:
        raise SnapshotLocation(path).error(f"cannot be read: {error.strerror}") from None
    if found := refusals(_json(content)):
        raise DeploymentRefusedError(path, found, None)
    return content


def over(folder: Path, content: bytes, path: Path) -> Redeployment:
    """Work out what a snapshot comes to over what a folder has; nothing is changed yet.

    `path` names the snapshot in errors. Raises `DeploymentError` for what the local cloud
    does not support, and `DeploymentRefusedError` for what Azure would not.
    """
    before = _recorded(folder)
    after = _json(content)
    if before is None or not isinstance(after, dict):
        return Redeployment(load_bytes(content, path), _record(_resources(after)))
    template = Template({"predictedResources": before})
    existing = ExistingDeployment(template, rotated=_rotated(folder, template))
    if found := blockers(existing, after):
        raise DeploymentRefusedError(path, found, folder)
    run, elsewhere, staying = _merged(before, after)
    deployment = _load({**after, "predictedResources": run}, path, staying)
    rewritten = frozenset(_rewritten(before, run))
    return Redeployment(deployment, _record([*run, *elsewhere]), staying, rewritten)


def _load(document: Json, path: Path, staying: Mapping[str, str]) -> Deployment:
    try:
        return load_bytes(json.dumps(document).encode(), path)
    except DeploymentError as error:
        if error.resource not in staying:
            raise
        why = f"{error.why}; it stays from an earlier deployment, since Azure deletes nothing"
        raise DeploymentError(error.file, error.resource, error.path, why) from None


def _merged(before: list[Json], after: Json) -> tuple[list[Json], list[Json], Mapping[str, str]]:
    """Put what exists and what is deployed together.

    Returns what is to run, what exists in other groups than this deployment's, which is kept and
    not run, and what stays though the template no longer has it.
    """
    now = _resources(after)
    template = Template(after)
    existing = {_key(one): one for one in before}
    once = {one.key for one in template.resources if template.made_once(one)}
    run = [existing.get(_key(one), one) if _key(one) in once else one for one in now]
    keys, groups = {_key(one) for one in now}, {_group(one) for one in now}
    left = [one for one in before if _key(one) not in keys]
    staying = [one for one in left if _group(one) in groups]
    elsewhere = [one for one in left if _group(one) not in groups]
    return [*run, *staying], elsewhere, {str(one["id"]): str(one.get("type")) for one in staying}


def _rewritten(before: list[Json], run: list[Json]) -> Iterator[str]:
    """Yield the secrets of which anything differs: then Azure makes a new version of them.

    Source: Azure/azure-resource-manager-schemas 1494, Azure/bicep 6448.
    """
    previous = {_key(one): one for one in before}
    for one in run:
        old = previous.get(_key(one))
        is_secret = str(one.get("type")).lower() == _SECRET
        if is_secret and old is not None and _without_secrets(one) != _without_secrets(old):
            yield _key(one)


def _rotated(folder: Path, template: Template) -> frozenset[str]:
    keys = set()
    for vault in template.of(_VAULT):
        names = rotated_keys(folder / "vaults" / vault.name)
        keys |= {f"{vault.key}/keys/{name}" for name in names}
    return frozenset(keys)


def _recorded(folder: Path) -> list[Json] | None:
    """Read the record of a folder; None for a new one."""
    place = folder / FILE
    try:
        found = json.loads(place.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("version") != _VERSION:
        raise SnapshotLocation(place).error(
            "was written by another version of the local cloud: give another folder (--folder)"
        )
    return _resources({"predictedResources": found.get("resources")})


def _record(resources: list[Json]) -> str:
    kept = [_without_secrets(one) for one in resources]
    return json.dumps({"version": _VERSION, "resources": kept}, indent=1)


def _without_secrets(resource: Json) -> Json:
    properties = {
        name: value
        for name, value in members(resource.get("properties")).items()
        if name not in _SECRET_PROPERTIES
    }
    return {**resource, "properties": properties} if "properties" in resource else resource


def _resources(document: object) -> list[Json]:
    listed = items(members(document).get("predictedResources"))
    return [one for one in listed if isinstance(one, dict) and isinstance(one.get("id"), str)]


def _key(resource: Json) -> str:
    return str(resource["id"]).lower()


def _group(resource: Json) -> str:
    """Return the group that a resource is in, or its subscription; ids may be in an expression."""
    found = _GROUP.search(_key(resource))
    return found[0] if found else ""


def _json(content: bytes) -> object:
    """Read JSON; None for what is not JSON, which the reader of the deployment reports."""
    try:
        found: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found

"""Reading the answers of `az` and `azd`: pure, and strict about what they must look like."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


class UnreadableError(Exception):
    """An answer does not look as documented; the text says what was missing."""


@dataclass(frozen=True)
class Key:
    """A key as Resource Manager shows it: its newest version, and when that expires."""

    version: str
    expires: int | None

    @classmethod
    def from_json(cls, shown: object) -> Key:
        """Read a resource of type `Microsoft.KeyVault/vaults/keys`. Raises `UnreadableError`."""
        properties = _mapping(_mapping(shown, "a key").get("properties"), "a key's properties")
        url = properties.get("keyUriWithVersion")
        if not isinstance(url, str) or url.count("/") < 5:
            raise UnreadableError("a key without keyUriWithVersion")
        attributes = properties.get("attributes")
        expires = attributes.get("exp") if isinstance(attributes, dict) else None
        return cls(url.rsplit("/", 1)[1], expires if isinstance(expires, int) else None)


def values(shown: object) -> Mapping[str, str]:
    """Read `azd env get-values --output json`."""
    found = _mapping(shown, "the values of an environment")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def metric(shown: object, aggregation: str) -> list[float | None]:
    """Read `az monitor metrics list` for one metric: a value a minute, oldest first.

    None is a minute in which nothing was measured, which is not the same as zero.
    """
    listed = _mapping(shown, "metrics").get("value")
    if not isinstance(listed, list) or len(listed) != 1:
        raise UnreadableError("not one metric")
    series = _mapping(listed[0], "a metric").get("timeseries")
    points = [
        point.get(aggregation.lower())
        for one in _list(series)
        for point in _list(_mapping(one, "a series").get("data"))
        if isinstance(point, dict)
    ]
    return [float(point) if isinstance(point, int | float) else None for point in points]


def not_flexible(shown: object, location: str) -> str | None:
    """Read `az functionapp list-flexconsumption-locations`: why not there, None if it can be."""
    names = {
        str(one.get("name", "")).lower().replace(" ", "")
        for one in _list(shown)
        if isinstance(one, dict)
    }
    if location.lower() in names:
        return None
    return f"Flex Consumption is not offered in {location}; {_choose(names)}"


def no_database(shown: object, location: str, sku: str) -> str | None:
    """Read `az postgres flexible-server list-skus`: why not there, None if it can be.

    A location that refuses a subscription says so in its feature `OfferRestricted`, or lists
    nothing at all, where a deployment would fail with "the value of Version should be in []".
    """
    offers = [one for one in _list(shown) if isinstance(one, dict)]
    features = [
        feature
        for offer in offers
        for feature in _list(offer.get("supportedFeatures"))
        if isinstance(feature, dict)
    ]
    restricted = any(
        feature.get("name") == "OfferRestricted" and feature.get("status") == "Enabled"
        for feature in features
    )
    if restricted or not any(sku == name for name in _skus(offers)):
        return f"PostgreSQL {sku} is not offered to this subscription in {location}; choose another"
    return None


def names(shown: object) -> list[str]:
    """Read a list of names."""
    return [name for name in _list(shown) if isinstance(name, str)]


def suffix_among(shown: object) -> str:
    """Read the names of a group's identities: what all of them end with, "" where there is none."""
    found = {name.rsplit("-", 1)[1] for name in names(shown) if "-" in name}
    return found.pop() if len(found) == 1 else ""


def roles_of(shown: object, suffix: str) -> list[str]:
    """Read `az role definition list`: the names (GUIDs) of the roles that a deployment made."""
    if not suffix:
        return []
    return [
        str(role["name"])
        for role in _list(shown)
        if isinstance(role, dict) and str(role.get("roleName", "")).endswith(f"({suffix})")
    ]


def deleted_vaults(shown: object, suffix: str) -> Mapping[str, str]:
    """Read `az keyvault list-deleted`: the deployment's vaults, and when each is purged."""
    found: dict[str, str] = {}
    if not suffix:
        return found
    for vault in _list(shown):
        listed = vault if isinstance(vault, dict) else {}
        name, properties = str(listed.get("name", "")), listed.get("properties")
        if name.endswith(f"-{suffix}"):
            when = properties.get("scheduledPurgeDate") if isinstance(properties, dict) else None
            found[name] = str(when or "unknown")
    return found


def unproven(shown: object) -> list[str]:
    """Read `ops prove --json`: what is not as declared, and which app did not answer."""
    found = _mapping(shown, "a proof")
    if not isinstance(found.get("proven"), bool):
        raise UnreadableError("a proof that does not say whether it is one")
    silent = _mapping(found.get("silent") or {}, "the silent apps")
    problems = [f"{app} did not answer: {why}" for app, why in silent.items()]
    problems += [
        " ".join(str(one.get(part, "")) for part in ("verdict", "identity", "operation", "object"))
        for one in _list(found.get("differences"))
        if isinstance(one, dict)
    ]
    if not found["proven"] and not problems:
        problems.append("it is not proven, and the proof does not say why")
    return problems


def parsed(text: str) -> object:
    """Parse what a command of `ops` wrote as JSON. Raises `UnreadableError`."""
    try:
        return json.loads(text)
    except ValueError:
        raise UnreadableError("a command of ops did not answer in JSON") from None


def suffix_of(environment: Mapping[str, str]) -> str:
    """Return what ends the name of everything in a deployment."""
    _, dash, suffix = environment.get("RELAY_VAULT_PAYLOAD", "").partition("-")
    if not dash or not suffix:
        raise UnreadableError("the environment does not name the vault of the payload key")
    return suffix


def _skus(offers: list[dict[str, object]]) -> Iterator[str]:
    for offer in offers:
        for edition in _list(offer.get("supportedServerEditions")):
            found = edition.get("supportedServerSkus") if isinstance(edition, dict) else None
            for one in _list(found):
                if isinstance(one, dict):
                    yield str(one.get("name"))


def _choose(names: set[str]) -> str:
    return f"choose one of {', '.join(sorted(names))}" if names else "az lists no location at all"


def _list(shown: object) -> list[object]:
    return shown if isinstance(shown, list) else []


def _mapping(shown: object, what: str) -> Mapping[str, object]:
    if not isinstance(shown, dict):
        raise UnreadableError(f"{what}: not an object")
    return shown

"""What is refused of `functionAppConfig`: how a Flex app runs, scales and gets its package."""

from __future__ import annotations

import re

from local.resource_manager.flex import PLAN_PAGE, Violations, flex_sites, settings_of
from local.resource_manager.flex_lists import AVM
from local.resource_manager.property_rules import in_range, one_of
from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.template import (
    Resource,
    Template,
    is_expression,
    is_whole,
    items,
    member,
    members,
)

_TYPES = "bicep-types-az, Microsoft.Web 2025-03-01"
_SCALE = "functionAppConfig.scaleAndConcurrency"
_RUNTIMES = ("custom", "dotnet-isolated", "java", "node", "powershell", "python")
_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
_GROUPS = ("http", "blob", "durable")
_CONTAINER = re.compile(r"https://[a-z0-9]{3,24}(?:\.z\d+)?\.blob\.[a-z0-9.\-]+/[$a-z0-9\-]{3,63}")
_AUTHENTICATIONS = (
    "SystemAssignedIdentity",
    "UserAssignedIdentity",
    "StorageAccountConnectionString",
)


def _without_config(template: Template) -> Violations:
    for site in flex_sites(template):
        if site.at("functionAppConfig") is None:
            yield Violation(
                site, "functionAppConfig", "is missing, and a Flex Consumption app needs it"
            )


def _always_ready(template: Template) -> Violations:
    for site in flex_sites(template):
        most = site.known(f"{_SCALE}.maximumInstanceCount")
        seen: set[str] = set()
        for position, entry in enumerate(items(site.at(f"{_SCALE}.alwaysReady"))):
            path = f"{_SCALE}.alwaysReady[{position}]"
            name, count = member(entry, "name"), member(entry, "instanceCount")
            if not isinstance(name, str) or not _is_group(name):
                what = "its name must be http, blob, durable or function:<name of a function>"
                yield Violation(site, path, what)
            elif name.lower() in seen:
                yield Violation(site, path, "the group is given twice")
            seen.add(str(name).lower())
            high = most if is_whole(most, 1, 1000) else 1000
            if count is not None and not is_whole(count, 0, high):
                yield Violation(site, path, f"its instanceCount must be from 0 to {high}")


def _is_group(name: str) -> bool:
    return name.lower() in _GROUPS or re.fullmatch(r"function:\w[\w-]*", name) is not None


def _runtime(template: Template) -> Violations:
    for site in flex_sites(template):
        config = site.at("functionAppConfig")
        name = site.known("functionAppConfig.runtime.name")
        if config is not None and str(name).lower() not in _RUNTIMES:
            known = ", ".join(_RUNTIMES)
            yield Violation(site, "functionAppConfig.runtime.name", f"must be one of {known}")


def _python(template: Template) -> Violations:
    path = "functionAppConfig.runtime.version"
    for site in flex_sites(template):
        name, version = site.known("functionAppConfig.runtime.name"), site.at(path)
        if str(name).lower() != "python" or is_expression(version):
            continue
        if version not in _PYTHONS:
            known = ", ".join(_PYTHONS)
            yield Violation(site, path, f"must be one of {known}: no other starts")


def _package_place(template: Template) -> Violations:
    at = "functionAppConfig.deployment.storage"
    for site in flex_sites(template):
        if site.at("functionAppConfig") is None:
            continue
        if str(site.known(f"{at}.type")).lower() != "blobcontainer":
            yield Violation(site, f"{at}.type", "must be blobContainer")
        value = site.at(f"{at}.value")
        if not is_expression(value) and not _CONTAINER.fullmatch(str(value).rstrip("/")):
            yield Violation(site, f"{at}.value", "must be the https address of a blob container")


def _package_access(template: Template) -> Violations:
    at = "functionAppConfig.deployment.storage.authentication"
    for site in flex_sites(template):
        if site.at("functionAppConfig") is None:
            continue
        kind = str(site.known(f"{at}.type")).lower()
        if kind not in [known.lower() for known in _AUTHENTICATIONS]:
            yield Violation(site, f"{at}.type", f"must be one of {', '.join(_AUTHENTICATIONS)}")
        elif kind == "systemassignedidentity" and "systemassigned" not in _identity_kinds(site):
            yield Violation(site, f"{at}.type", "the site has no system-assigned identity")
        elif kind == "userassignedidentity":
            yield from _package_identity(site, f"{at}.userAssignedIdentityResourceId")
        elif kind == "storageaccountconnectionstring":
            path = f"{at}.storageAccountConnectionStringName"
            names = [name for _, _, name, _ in settings_of(template, site)]
            if site.at(path) not in names:
                yield Violation(site, path, "must name a setting of the site")


def _package_identity(site: Resource, path: str) -> Violations:
    wanted = site.at(path)
    attached = [str(one).lower() for one in members(site.at("/identity.userAssignedIdentities"))]
    if not is_expression(wanted) and str(wanted).lower() not in attached:
        yield Violation(site, path, "must be the id of an identity that is attached to the site")


def _identity_kinds(site: Resource) -> list[str]:
    return [kind.strip().lower() for kind in str(site.at("/identity.type")).split(",")]


RULES: tuple[Rule[Template], ...] = (
    Rule("BadRequest", f"{AVM} 195; azure-functions-flex-consumption-samples 7", _without_config),
    Rule(
        "InvalidMaximumInstanceCount",
        f"{AVM}, README; azure-rest-api-specs 45083",
        in_range(flex_sites, f"{_SCALE}.maximumInstanceCount", 1, 1000),
    ),
    Rule(
        "BadRequest",
        f"azure-rest-api-specs 40898; {PLAN_PAGE}",
        one_of(flex_sites, f"{_SCALE}.instanceMemoryMB", (512, 2048, 4096)),
    ),
    Rule(
        "BadRequest",
        f"{PLAN_PAGE}, concurrency",
        in_range(flex_sites, f"{_SCALE}.triggers.http.perInstanceConcurrency", 1, 1000),
    ),
    Rule("BadRequest", f"{_TYPES}; aka.ms/flexconsumption/alwaysready", _always_ready),
    Rule("BadRequest", _TYPES, _runtime),
    Rule("InternalServerError at start", "Azure/Azure-Functions 2666", _python),
    Rule("BadRequest", f"{_TYPES}; bicep-types-az 2521", _package_place),
    Rule("BadRequest", _TYPES, _package_access),
    Rule(
        "BadRequest",
        "learn.microsoft.com, Site update strategies in Flex Consumption",
        one_of(
            flex_sites,
            "functionAppConfig.siteUpdateStrategy.type",
            ("Recreate", "RollingUpdate"),
            ignores_case=True,
        ),
    ),
)

"""What is refused of `functionAppConfig`: how a Flex app runs, scales and gets its package."""

from __future__ import annotations

import re
from collections.abc import Callable

from local.resource_manager.flex import PLAN_PAGE, Finding, flex_sites, settings_of
from local.resource_manager.flex_lists import AVM
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
_RUNTIMES = ("custom", "dotnet-isolated", "java", "node", "powershell", "python")
_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
_GROUPS = ("http", "blob", "durable")
_CONTAINER = re.compile(r"https://[a-z0-9]{3,24}(?:\.z\d+)?\.blob\.[a-z0-9.\-]+/[$a-z0-9\-]{3,63}")
_AUTHENTICATIONS = (
    "SystemAssignedIdentity",
    "UserAssignedIdentity",
    "StorageAccountConnectionString",
)


def _without_config(template: Template) -> Finding:
    for site in flex_sites(template):
        if site.at("functionAppConfig") is None:
            yield Violation(
                site, "functionAppConfig", "is missing, and a Flex Consumption app needs it"
            )


def _up_to_a_thousand(name: str) -> Callable[[Template], Finding]:
    path = f"functionAppConfig.scaleAndConcurrency.{name}"

    def find(template: Template) -> Finding:
        for site in flex_sites(template):
            count = site.known(path)
            if count is not None and not is_whole(count, 1, 1000):
                yield Violation(site, path, "must be from 1 to 1000")

    return find


def _memory(template: Template) -> Finding:
    path = "functionAppConfig.scaleAndConcurrency.instanceMemoryMB"
    for site in flex_sites(template):
        size = site.known(path)
        if size is not None and size not in (512, 2048, 4096):
            yield Violation(site, path, "must be 512, 2048 or 4096")


def _always_ready(template: Template) -> Finding:
    at = "functionAppConfig.scaleAndConcurrency"
    for site in flex_sites(template):
        most = site.known(f"{at}.maximumInstanceCount")
        seen: set[str] = set()
        for position, entry in enumerate(items(site.at(f"{at}.alwaysReady"))):
            path = f"{at}.alwaysReady[{position}]"
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


def _runtime(template: Template) -> Finding:
    for site in flex_sites(template):
        config = site.at("functionAppConfig")
        name = site.known("functionAppConfig.runtime.name")
        if config is not None and str(name).lower() not in _RUNTIMES:
            known = ", ".join(_RUNTIMES)
            yield Violation(site, "functionAppConfig.runtime.name", f"must be one of {known}")


def _python(template: Template) -> Finding:
    path = "functionAppConfig.runtime.version"
    for site in flex_sites(template):
        name, version = site.known("functionAppConfig.runtime.name"), site.at(path)
        if str(name).lower() != "python" or is_expression(version):
            continue
        if version not in _PYTHONS:
            known = ", ".join(_PYTHONS)
            yield Violation(site, path, f"must be one of {known}: no other ever starts")


def _package_place(template: Template) -> Finding:
    at = "functionAppConfig.deployment.storage"
    for site in flex_sites(template):
        if site.at("functionAppConfig") is None:
            continue
        if str(site.known(f"{at}.type")).lower() != "blobcontainer":
            yield Violation(site, f"{at}.type", "must be blobContainer")
        value = site.at(f"{at}.value")
        if not is_expression(value) and not _CONTAINER.fullmatch(str(value).rstrip("/")):
            yield Violation(site, f"{at}.value", "must be the https address of a blob container")


def _package_access(template: Template) -> Finding:
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


def _package_identity(site: Resource, path: str) -> Finding:
    wanted = site.at(path)
    attached = [str(one).lower() for one in members(site.at("/identity.userAssignedIdentities"))]
    if not is_expression(wanted) and str(wanted).lower() not in attached:
        yield Violation(site, path, "must be the id of an identity that is attached to the site")


def _identity_kinds(site: Resource) -> list[str]:
    return [kind.strip().lower() for kind in str(site.at("/identity.type")).split(",")]


def _update_strategy(template: Template) -> Finding:
    path = "functionAppConfig.siteUpdateStrategy.type"
    for site in flex_sites(template):
        kind = site.known(path)
        if kind is not None and str(kind).lower() not in ("recreate", "rollingupdate"):
            yield Violation(site, path, "must be Recreate or RollingUpdate")


RULES: tuple[Rule[Template], ...] = (
    Rule("BadRequest", f"{AVM} 195; azure-functions-flex-consumption-samples 7", _without_config),
    Rule(
        "InvalidMaximumInstanceCount",
        f"{AVM}, README; azure-rest-api-specs 45083",
        _up_to_a_thousand("maximumInstanceCount"),
    ),
    Rule("BadRequest", f"azure-rest-api-specs 40898; {PLAN_PAGE}", _memory),
    Rule(
        "BadRequest",
        f"{PLAN_PAGE}, concurrency",
        _up_to_a_thousand("triggers.http.perInstanceConcurrency"),
    ),
    Rule("BadRequest", f"{_TYPES}; aka.ms/flexconsumption/alwaysready", _always_ready),
    Rule("BadRequest", _TYPES, _runtime),
    Rule("InternalServerError at start", "Azure/Azure-Functions 2666", _python),
    Rule("BadRequest", f"{_TYPES}; bicep-types-az 2521", _package_place),
    Rule("BadRequest", _TYPES, _package_access),
    Rule(
        "BadRequest",
        "learn.microsoft.com, Site update strategies in Flex Consumption",
        _update_strategy,
    ),
)

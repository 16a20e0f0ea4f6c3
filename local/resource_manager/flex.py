"""What is refused of function apps on the Flex Consumption plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.resource_manager.flex_lists import (
    AVM,
    HARMFUL_SETTINGS,
    PROPERTIES,
    SETTINGS,
)
from local.resource_manager.refusal import Fault, Rule
from local.resource_manager.template import (
    Resource,
    Template,
    is_expression,
    is_whole,
    items,
    member,
    members,
)

SITE = "Microsoft.Web/sites"
PLAN = "Microsoft.Web/serverfarms"

_INVALID = "BadRequest 51021"
_PLAN_PAGE = "learn.microsoft.com, Azure Functions Flex Consumption plan hosting"
_TYPES = "bicep-types-az, Microsoft.Web 2025-03-01"
_RUNTIMES = ("custom", "dotnet-isolated", "java", "node", "powershell", "python")
_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
_GROUPS = ("http", "blob", "durable")
_SETTING_NAME = re.compile(r"[A-Za-z0-9_.\-]+")
_CONTAINER = re.compile(r"https://[a-z0-9]{3,24}\.blob\.[a-z0-9.\-]+/[$a-z0-9\-]{3,63}")
_AUTHENTICATIONS = (
    "SystemAssignedIdentity",
    "UserAssignedIdentity",
    "StorageAccountConnectionString",
)

Finding = Iterator[Fault]


def is_flex_plan(plan: Resource) -> bool:
    """Tell whether a plan is one of Flex Consumption."""
    tier, name = plan.at("/sku.tier"), plan.at("/sku.name")
    return str(tier).lower() == "flexconsumption" or str(name).upper() == "FC1"


def flex_sites(template: Template) -> Iterator[Resource]:
    """Give the sites on such a plan; where the plan is not deployed with it, by its own word."""
    for site in template.of(SITE):
        plan = template.get(site.at("serverFarmId"))
        if is_flex_plan(plan) if plan else site.at("functionAppConfig") is not None:
            yield site


def settings_of(template: Template, site: Resource) -> Iterator[tuple[Resource, str, str, Any]]:
    """Give the settings of a site wherever they are made: resource, path, name and value."""
    for position, setting in enumerate(items(site.at("siteConfig.appSettings"))):
        name = member(setting, "name")
        if isinstance(name, str):
            path = f"siteConfig.appSettings[{position}] ({name})"
            yield site, path, name, member(setting, "value")
    for config in template.of(f"{SITE}/config"):
        if config.parent == site.key and config.name.lower() == "appsettings":
            for name, value in members(config.body.get("properties")).items():
                yield config, name, name, value


def _property(name: str, instead: str) -> Callable[[Template], Finding]:
    def find(template: Template) -> Finding:
        for site in flex_sites(template):
            for path in (f"siteConfig.{name}", name):
                if site.at(path) is not None:
                    yield Fault(site, path, f"Flex Consumption does not take it: {instead}")
            for config in template.of(f"{SITE}/config"):
                web = config.parent == site.key and config.name.lower() == "web"
                if web and config.at(name) is not None:
                    yield Fault(config, name, f"Flex Consumption does not take it: {instead}")

    return find


def _setting(name: str, instead: str) -> Callable[[Template], Finding]:
    def find(template: Template) -> Finding:
        for site in flex_sites(template):
            for resource, path, given, _ in settings_of(template, site):
                if given.upper() == name:
                    yield Fault(resource, path, f"Flex Consumption does not take it: {instead}")

    return find


def _setting_names(template: Template) -> Finding:
    for site in flex_sites(template):
        for resource, path, name, _ in settings_of(template, site):
            if not _SETTING_NAME.fullmatch(name):
                what = "its name has other characters than letters, digits and _ . -; say __ for :"
                yield Fault(resource, path, what)


def _settings_twice(template: Template) -> Finding:
    for site in flex_sites(template):
        seen: set[tuple[str, str]] = set()
        for resource, path, name, _ in settings_of(template, site):
            if (resource.key, name.lower()) in seen:
                yield Fault(resource, path, "the setting is given twice")
            seen.add((resource.key, name.lower()))


def _without_config(template: Template) -> Finding:
    for site in flex_sites(template):
        if site.at("functionAppConfig") is None:
            yield Fault(
                site, "functionAppConfig", "is missing, and a Flex Consumption app needs it"
            )


def _instances(template: Template) -> Finding:
    path = "functionAppConfig.scaleAndConcurrency.maximumInstanceCount"
    for site in flex_sites(template):
        count = site.known(path)
        if count is not None and not is_whole(count, 1, 1000):
            yield Fault(site, path, "must be from 1 to 1000")


def _memory(template: Template) -> Finding:
    path = "functionAppConfig.scaleAndConcurrency.instanceMemoryMB"
    for site in flex_sites(template):
        size = site.known(path)
        if size is not None and size not in (512, 2048, 4096):
            yield Fault(site, path, "must be 512, 2048 or 4096")


def _concurrency(template: Template) -> Finding:
    path = "functionAppConfig.scaleAndConcurrency.triggers.http.perInstanceConcurrency"
    for site in flex_sites(template):
        count = site.known(path)
        if count is not None and not is_whole(count, 1, 1000):
            yield Fault(site, path, "must be from 1 to 1000")


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
                yield Fault(site, path, what)
            elif name.lower() in seen:
                yield Fault(site, path, "the group is given twice")
            seen.add(str(name).lower())
            high = most if is_whole(most, 1, 1000) else 1000
            if count is not None and not is_whole(count, 0, high):
                yield Fault(site, path, f"its instanceCount must be from 0 to {high}")


def _is_group(name: str) -> bool:
    return name.lower() in _GROUPS or re.fullmatch(r"function:\w[\w-]*", name) is not None


def _runtime(template: Template) -> Finding:
    for site in flex_sites(template):
        config = site.at("functionAppConfig")
        name = site.known("functionAppConfig.runtime.name")
        if config is not None and str(name).lower() not in _RUNTIMES:
            known = ", ".join(_RUNTIMES)
            yield Fault(site, "functionAppConfig.runtime.name", f"must be one of {known}")


def _python(template: Template) -> Finding:
    path = "functionAppConfig.runtime.version"
    for site in flex_sites(template):
        name, version = site.known("functionAppConfig.runtime.name"), site.at(path)
        if str(name).lower() != "python" or is_expression(version):
            continue
        if version not in _PYTHONS:
            known = ", ".join(_PYTHONS)
            yield Fault(site, path, f"must be one of {known}: no other ever starts")


def _package_place(template: Template) -> Finding:
    at = "functionAppConfig.deployment.storage"
    for site in flex_sites(template):
        if site.at("functionAppConfig") is None:
            continue
        if str(site.known(f"{at}.type")).lower() != "blobcontainer":
            yield Fault(site, f"{at}.type", "must be blobContainer")
        value = site.at(f"{at}.value")
        if not is_expression(value) and not _CONTAINER.fullmatch(str(value).rstrip("/")):
            yield Fault(site, f"{at}.value", "must be the https address of a blob container")


def _package_access(template: Template) -> Finding:
    at = "functionAppConfig.deployment.storage.authentication"
    for site in flex_sites(template):
        if site.at("functionAppConfig") is None:
            continue
        kind = str(site.known(f"{at}.type")).lower()
        if kind not in [known.lower() for known in _AUTHENTICATIONS]:
            yield Fault(site, f"{at}.type", f"must be one of {', '.join(_AUTHENTICATIONS)}")
        elif kind == "systemassignedidentity" and "systemassigned" not in _identity_kinds(site):
            yield Fault(site, f"{at}.type", "the site has no system-assigned identity")
        elif kind == "userassignedidentity":
            yield from _package_identity(site, f"{at}.userAssignedIdentityResourceId")
        elif kind == "storageaccountconnectionstring":
            path = f"{at}.storageAccountConnectionStringName"
            names = [name for _, _, name, _ in settings_of(template, site)]
            if site.at(path) not in names:
                yield Fault(site, path, "must name a setting of the site")


def _package_identity(site: Resource, path: str) -> Finding:
    wanted = site.at(path)
    attached = [str(one).lower() for one in members(site.at("/identity.userAssignedIdentities"))]
    if not is_expression(wanted) and str(wanted).lower() not in attached:
        yield Fault(site, path, "must be the id of an identity that is attached to the site")


def _identity_kinds(site: Resource) -> list[str]:
    return [kind.strip().lower() for kind in str(site.at("/identity.type")).split(",")]


def _windows_plan(template: Template) -> Finding:
    for plan in template.of(PLAN):
        if is_flex_plan(plan) and plan.at("reserved") is not True:
            yield Fault(plan, "reserved", "must be true: the Flex Consumption plan runs Linux")


def _shared_plan(template: Template) -> Finding:
    first: dict[str, Resource] = {}
    for site in flex_sites(template):
        plan = str(site.at("serverFarmId")).lower()
        other = first.setdefault(plan, site)
        if other is not site and template.get(plan):
            yield Fault(site, "serverFarmId", f"the plan has the app {other.name}: it takes one")


def _slots(template: Template) -> Finding:
    sites = {site.key for site in flex_sites(template)}
    for slot in template.of(f"{SITE}/slots"):
        if slot.parent in sites:
            yield Fault(slot, "", "a Flex Consumption app has no deployment slots")


def _update_strategy(template: Template) -> Finding:
    path = "functionAppConfig.siteUpdateStrategy.type"
    for site in flex_sites(template):
        kind = site.known(path)
        if kind is not None and str(kind).lower() not in ("recreate", "rollingupdate"):
            yield Fault(site, path, "must be Recreate or RollingUpdate")


def _subnets(template: Template) -> Finding:
    """Look at the subnet that a site is in, where its network is deployed with it."""
    for site in flex_sites(template):
        wanted = str(site.at("virtualNetworkSubnetId")).lower()
        network = template.get(wanted.partition("/subnets/")[0])
        name = wanted.rpartition("/")[2]
        for subnet in items(network.at("subnets")) if network else ():
            if str(member(subnet, "name")).lower() == name:
                yield from _subnet(site, name, members(member(subnet, "properties")))


def _subnet(site: Resource, name: str, subnet: Mapping[str, Any]) -> Finding:
    path = "virtualNetworkSubnetId"
    services = [
        str(member(member(one, "properties"), "serviceName")).lower()
        for one in items(member(subnet, "delegations"))
    ]
    if "microsoft.app/environments" not in services:
        yield Fault(site, path, "the subnet must be delegated to Microsoft.App/environments")
    if "_" in name:
        yield Fault(site, path, "the subnet's name must have no underscore")


def _policies_without_location(template: Template) -> Finding:
    for policy in template.of(f"{SITE}/basicPublishingCredentialsPolicies"):
        if not policy.location:
            yield Fault(policy, "location", "is missing; Azure takes that of the site")
        if policy.name.lower() not in ("ftp", "scm"):
            yield Fault(policy, "name", "must be ftp or scm")


RULES: tuple[Rule[Template], ...] = (
    *(Rule(_INVALID, source, _property(name, do)) for name, (do, source) in PROPERTIES.items()),
    *(Rule(_INVALID, source, _setting(name, do)) for name, (do, source) in SETTINGS.items()),
    *(
        Rule("not supported", source, _setting(name, do))
        for name, (do, source) in HARMFUL_SETTINGS.items()
    ),
    Rule("BadRequest", "Azure/azure-functions-host 11908", _setting_names),
    Rule("BadRequest", "learn.microsoft.com, App settings reference", _settings_twice),
    Rule("BadRequest", f"{AVM} 195; azure-functions-flex-consumption-samples 7", _without_config),
    Rule("InvalidMaximumInstanceCount", f"{AVM}, README; azure-rest-api-specs 45083", _instances),
    Rule("BadRequest", f"azure-rest-api-specs 40898; {_PLAN_PAGE}", _memory),
    Rule("BadRequest", f"{_PLAN_PAGE}, concurrency", _concurrency),
    Rule("BadRequest", f"{_TYPES}; aka.ms/flexconsumption/alwaysready", _always_ready),
    Rule("BadRequest", _TYPES, _runtime),
    Rule("InternalServerError at start", "Azure/Azure-Functions 2666", _python),
    Rule("BadRequest", f"{_TYPES}; bicep-types-az 2521", _package_place),
    Rule("BadRequest", _TYPES, _package_access),
    Rule("BadRequest", f"{_PLAN_PAGE}; {_TYPES}", _windows_plan),
    Rule("BadRequest", f"{_PLAN_PAGE}, considerations", _shared_plan),
    Rule("BadRequest", f"{_PLAN_PAGE}, considerations", _slots),
    Rule(
        "BadRequest",
        "learn.microsoft.com, Site update strategies in Flex Consumption",
        _update_strategy,
    ),
    Rule("BadRequest", f"{_PLAN_PAGE}, virtual network integration", _subnets),
    Rule("BadRequest 51008", "bicep-types-az 1526, 1529, 1571", _policies_without_location),
)

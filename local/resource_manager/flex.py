"""What is refused of function apps on the Flex Consumption plan, apart from `functionAppConfig`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.resource_manager.flex_lists import HARMFUL_SETTINGS, PROPERTIES, SETTINGS
from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.template import Resource, Template, items, member, members

SITE = "Microsoft.Web/sites"
PLAN = "Microsoft.Web/serverfarms"

_INVALID = "BadRequest 51021"
PLAN_PAGE = "learn.microsoft.com, Azure Functions Flex Consumption plan hosting"
_SETTING_NAME = re.compile(r"[A-Za-z0-9_.\-]+")
Violations = Iterator[Violation]


def is_flex_plan(plan: Resource) -> bool:
    """Return whether a plan is one of Flex Consumption."""
    tier, name = plan.at("/sku.tier"), plan.at("/sku.name")
    return str(tier).lower() == "flexconsumption" or str(name).upper() == "FC1"


def flex_sites(template: Template) -> Iterator[Resource]:
    """Return the sites on such a plan; without the plan, those with a `functionAppConfig`."""
    for site in template.of(SITE):
        plan = template.get(site.at("serverFarmId"))
        if is_flex_plan(plan) if plan else site.at("functionAppConfig") is not None:
            yield site


def settings_of(template: Template, site: Resource) -> Iterator[tuple[Resource, str, str, Any]]:
    """Return the settings of a site wherever they are set: resource, path, name and value."""
    for position, setting in enumerate(items(site.at("siteConfig.appSettings"))):
        name = member(setting, "name")
        if isinstance(name, str):
            path = f"siteConfig.appSettings[{position}] ({name})"
            yield site, path, name, member(setting, "value")
    for config in template.of(f"{SITE}/config"):
        if config.parent == site.key and config.name.lower() == "appsettings":
            for name, value in members(config.body.get("properties")).items():
                yield config, name, name, value


def _property(name: str, instead: str) -> Callable[[Template], Violations]:
    def find(template: Template) -> Violations:
        for site in flex_sites(template):
            for path in (f"siteConfig.{name}", name):
                if site.at(path) is not None:
                    yield Violation(site, path, f"Flex Consumption does not take it: {instead}")
            for config in template.of(f"{SITE}/config"):
                web = config.parent == site.key and config.name.lower() == "web"
                if web and config.at(name) is not None:
                    yield Violation(config, name, f"Flex Consumption does not take it: {instead}")

    return find


def _setting(name: str, instead: str) -> Callable[[Template], Violations]:
    def find(template: Template) -> Violations:
        for site in flex_sites(template):
            for resource, path, given, _ in settings_of(template, site):
                if given.upper() == name:
                    yield Violation(resource, path, f"Flex Consumption does not take it: {instead}")

    return find


def _setting_names(template: Template) -> Violations:
    for site in flex_sites(template):
        for resource, path, name, _ in settings_of(template, site):
            if not _SETTING_NAME.fullmatch(name):
                what = (
                    "its name has other characters than letters, digits and _ . -; write __ for :"
                )
                yield Violation(resource, path, what)


def _settings_twice(template: Template) -> Violations:
    for site in flex_sites(template):
        seen: set[tuple[str, str]] = set()
        for resource, path, name, _ in settings_of(template, site):
            if (resource.key, name.lower()) in seen:
                yield Violation(resource, path, "the setting is given twice")
            seen.add((resource.key, name.lower()))


def _windows_plan(template: Template) -> Violations:
    for plan in template.of(PLAN):
        if is_flex_plan(plan) and plan.at("reserved") is not True:
            yield Violation(plan, "reserved", "must be true: the Flex Consumption plan runs Linux")


def _shared_plan(template: Template) -> Violations:
    first: dict[str, Resource] = {}
    for site in flex_sites(template):
        plan = str(site.at("serverFarmId")).lower()
        other = first.setdefault(plan, site)
        if other is not site and template.get(plan):
            yield Violation(
                site, "serverFarmId", f"the plan has the app {other.name}: it takes one"
            )


def _slots(template: Template) -> Violations:
    sites = {site.key for site in flex_sites(template)}
    for slot in template.of(f"{SITE}/slots"):
        if slot.parent in sites:
            yield Violation(slot, "", "a Flex Consumption app has no deployment slots")


def _subnets(template: Template) -> Violations:
    """Check the subnet that a site is in, where its network is deployed with it."""
    for site in flex_sites(template):
        wanted = str(site.at("virtualNetworkSubnetId")).lower()
        network = template.get(wanted.partition("/subnets/")[0])
        name = wanted.rpartition("/")[2]
        for subnet in items(network.at("subnets")) if network else ():
            if str(member(subnet, "name")).lower() == name:
                yield from _subnet(site, name, members(member(subnet, "properties")))


def _subnet(site: Resource, name: str, subnet: Mapping[str, Any]) -> Violations:
    path = "virtualNetworkSubnetId"
    services = [
        str(member(member(one, "properties"), "serviceName")).lower()
        for one in items(member(subnet, "delegations"))
    ]
    if "microsoft.app/environments" not in services:
        yield Violation(site, path, "the subnet must be delegated to Microsoft.App/environments")
    if "_" in name:
        yield Violation(site, path, "the subnet's name must have no underscore")


def _policies_without_location(template: Template) -> Violations:
    for policy in template.of(f"{SITE}/basicPublishingCredentialsPolicies"):
        if not policy.location:
            yield Violation(policy, "location", "is missing; Azure takes that of the site")
        if policy.name.lower() not in ("ftp", "scm"):
            yield Violation(policy, "name", "must be ftp or scm")


RULES: tuple[Rule[Template], ...] = (
    *(Rule(_INVALID, source, _property(name, do)) for name, (do, source) in PROPERTIES.items()),
    *(Rule(_INVALID, source, _setting(name, do)) for name, (do, source) in SETTINGS.items()),
    *(
        Rule("not supported", source, _setting(name, do))
        for name, (do, source) in HARMFUL_SETTINGS.items()
    ),
    Rule("BadRequest", "Azure/azure-functions-host 11908", _setting_names),
    Rule("BadRequest", "learn.microsoft.com, App settings reference", _settings_twice),
    Rule("BadRequest", f"{PLAN_PAGE}; bicep-types-az, Microsoft.Web 2025-03-01", _windows_plan),
    Rule("BadRequest", f"{PLAN_PAGE}, considerations", _shared_plan),
    Rule("BadRequest", f"{PLAN_PAGE}, considerations", _slots),
    Rule("BadRequest", f"{PLAN_PAGE}, virtual network integration", _subnets),
    Rule("BadRequest 51008", "bicep-types-az 1526, 1529, 1571", _policies_without_location),
)

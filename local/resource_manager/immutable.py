"""Properties that a resource keeps for its life: a later deployment with others is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.resource_manager.databases import SERVER
from local.resource_manager.existing import Change
from local.resource_manager.flex import PLAN, SITE
from local.resource_manager.names import LOCATED
from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.service_bus import BUS, QUEUE
from local.resource_manager.storages import ACCOUNT
from local.resource_manager.template import is_expression
from local.resource_manager.vaults import VAULT
from local.resource_manager.virtual_machines import MACHINE

GROUP = "Microsoft.Resources/resourceGroups"

_BUS_PAGE = "Azure/azure-rest-api-specs 16679"
_DATABASE_TYPES = "bicep-types-az, Microsoft.DBforPostgreSQL 2025-08-01"
_MACHINE_PAGE = "learn.microsoft.com, Virtual Machines, create or update"
_STORAGE_TYPES = "bicep-types-az, Microsoft.Storage 2025-01-01"


@dataclass(frozen=True)
class ImmutableProperty:
    """A property of a kind that cannot change; `default` is the value of an absent one.

    Where `default` is None, an absent one leaves the property as it is.
    """

    kind: str
    path: str
    default: object
    code: str
    source: str


IMMUTABLE_PROPERTIES = (
    ImmutableProperty(
        QUEUE, "requiresDuplicateDetection", default=False, code="BadRequest", source=_BUS_PAGE
    ),
    ImmutableProperty(QUEUE, "requiresSession", default=False, code="BadRequest", source=_BUS_PAGE),
    ImmutableProperty(
        QUEUE, "enablePartitioning", default=False, code="BadRequest", source=_BUS_PAGE
    ),
    ImmutableProperty(
        BUS,
        "premiumMessagingPartitions",
        None,
        "BadRequest",
        "learn.microsoft.com, Enable partitioning in Service Bus Premium",
    ),
    ImmutableProperty(
        VAULT,
        "softDeleteRetentionInDays",
        None,
        "BadRequest",
        "learn.microsoft.com, Azure Key Vault soft-delete overview",
    ),
    ImmutableProperty(ACCOUNT, "/kind", None, "AccountPropertyCannotBeUpdated", _STORAGE_TYPES),
    ImmutableProperty(
        ACCOUNT, "isHnsEnabled", None, "AccountPropertyCannotBeUpdated", _STORAGE_TYPES
    ),
    ImmutableProperty(
        ACCOUNT,
        "encryption.requireInfrastructureEncryption",
        None,
        "AccountPropertyCannotBeUpdated",
        _STORAGE_TYPES,
    ),
    ImmutableProperty(SERVER, "administratorLogin", None, "InvalidParameterValue", _DATABASE_TYPES),
    ImmutableProperty(
        SERVER, "backup.geoRedundantBackup", None, "InvalidParameterValue", _DATABASE_TYPES
    ),
    ImmutableProperty(SERVER, "storage.type", None, "InvalidParameterValue", _DATABASE_TYPES),
    ImmutableProperty(SERVER, "availabilityZone", None, "InvalidParameterValue", _DATABASE_TYPES),
    ImmutableProperty(
        SERVER, "network.delegatedSubnetResourceId", None, "InvalidParameterValue", _DATABASE_TYPES
    ),
    ImmutableProperty(
        f"{SERVER}/databases", "charset", None, "InvalidParameterValue", _DATABASE_TYPES
    ),
    ImmutableProperty(
        f"{SERVER}/databases", "collation", None, "InvalidParameterValue", _DATABASE_TYPES
    ),
    ImmutableProperty(
        PLAN,
        "reserved",
        default=False,
        code="BadRequest",
        source="learn.microsoft.com, App Service plans",
    ),
    ImmutableProperty(
        MACHINE, "osProfile.adminUsername", None, "PropertyChangeNotAllowed", _MACHINE_PAGE
    ),
    ImmutableProperty(
        MACHINE, "osProfile.computerName", None, "PropertyChangeNotAllowed", _MACHINE_PAGE
    ),
    ImmutableProperty(
        MACHINE, "osProfile.customData", None, "PropertyChangeNotAllowed", _MACHINE_PAGE
    ),
    ImmutableProperty(
        MACHINE, "osProfile.linuxConfiguration", None, "PropertyChangeNotAllowed", _MACHINE_PAGE
    ),
    ImmutableProperty(
        MACHINE, "storageProfile.imageReference", None, "PropertyChangeNotAllowed", _MACHINE_PAGE
    ),
    ImmutableProperty(
        MACHINE, "storageProfile.osDisk.name", None, "PropertyChangeNotAllowed", _MACHINE_PAGE
    ),
    ImmutableProperty(MACHINE, "/zones", None, "PropertyChangeNotAllowed", _MACHINE_PAGE),
    ImmutableProperty(
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
        "virtualNetwork.id",
        None,
        "BadRequest",
        "learn.microsoft.com, Virtual network links, create or update",
    ),
)


def _unchanged(fixed: ImmutableProperty) -> Callable[[Change], Iterator[Violation]]:
    def find(change: Change) -> Iterator[Violation]:
        for old, new in change.pairs(fixed.kind):
            was, becomes = old.at(fixed.path), new.at(fixed.path)
            if is_expression(was) or is_expression(becomes):
                continue
            was = fixed.default if was is None else was
            becomes = fixed.default if becomes is None else becomes
            # What a deployment leaves out stays as it is; what it sets first is checked by Azure.
            if was is not None and becomes is not None and _plain(was) != _plain(becomes):
                what = (
                    "cannot change after the resource is created, and this deployment has another"
                )
                yield Violation(new, fixed.path.removeprefix("/"), what)

    return find


def _plain(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _locations(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(*LOCATED):
        if old.location and new.location and old.location != new.location:
            yield Violation(new, "location", f"it is in {old.location}, and cannot move")


def _group_location(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(GROUP):
        if old.location and new.location and old.location != new.location:
            yield Violation(new, "location", f"the group is in {old.location}, and cannot move")


def _tiers(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(BUS):
        was, becomes = (str(one.known("/sku.name")).lower() for one in (old, new))
        if was != becomes and "premium" in (was, becomes):
            what = f"is {was}, and a namespace cannot change to or from the Premium tier"
            yield Violation(new, "sku.name", what)


def _plans(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(PLAN):
        was, becomes = (str(one.known("/sku.tier")).lower() for one in (old, new))
        if was != becomes and "flexconsumption" in (was, becomes):
            yield Violation(new, "sku.tier", "a plan cannot change to or from Flex Consumption")


def _site_plans(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(SITE):
        was, becomes = (str(one.at("serverFarmId")).lower() for one in (old, new))
        if was != becomes and new.at("functionAppConfig") is not None:
            yield Violation(new, "serverFarmId", "a Flex Consumption app stays on its plan")


def _site_kinds(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(SITE):
        was, becomes = ("linux" in str(one.known("/kind")).lower() for one in (old, new))
        if was != becomes:
            yield Violation(new, "kind", "an app cannot change between Windows and Linux")


def _versions(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(SERVER):
        was, becomes = str(old.known("version")), str(new.known("version"))
        if was.isdigit() and becomes.isdigit() and int(becomes) < int(was):
            yield Violation(new, "version", f"is {was} already, and cannot be lowered")


def _disks(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(SERVER):
        path = "storage.storageSizeGB"
        was, becomes = old.known(path), new.known(path)
        size = max(was if isinstance(was, int) else 0, change.before.disks.get(new.key, 0))
        if isinstance(becomes, int) and becomes < size:
            grown = size != was
            why = "has grown to" if grown else "has"
            yield Violation(new, path, f"the disk {why} {size} GB, and cannot shrink")


RULES: tuple[Rule[Change], ...] = (
    *(Rule(fixed.code, fixed.source, _unchanged(fixed)) for fixed in IMMUTABLE_PROPERTIES),
    Rule(
        "InvalidResourceLocation",
        "learn.microsoft.com, Resolve errors for resource location",
        _locations,
    ),
    Rule(
        "InvalidResourceGroupLocation",
        "learn.microsoft.com, Resolve errors for resource location",
        _group_location,
    ),
    Rule(
        "BadRequest",
        "learn.microsoft.com, Migrate Service Bus Standard namespaces to Premium",
        _tiers,
    ),
    Rule(
        "BadRequest", "learn.microsoft.com, Azure Functions Flex Consumption plan hosting", _plans
    ),
    Rule(
        "BadRequest",
        "learn.microsoft.com, Azure Functions Flex Consumption plan hosting",
        _site_plans,
    ),
    Rule("BadRequest", "learn.microsoft.com, App Service on Linux", _site_kinds),
    Rule(
        "InvalidParameterValue",
        "learn.microsoft.com, Major version upgrades in Azure Database for PostgreSQL",
        _versions,
    ),
    Rule(
        "UpsertServerManagementOperationDowngradeDiskSizeUnsupported",
        "Altinn/dialogporten 4127",
        _disks,
    ),
)

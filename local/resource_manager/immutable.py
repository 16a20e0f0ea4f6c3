"""Properties that stay as a resource was made with: another in a later deployment is refused."""

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
class Fixed:
    """A property of a kind that stays as it was made; `default` is what an absent one is.

    Where `default` is None, one that is left out says nothing and stays.
    """

    kind: str
    path: str
    default: object
    code: str
    source: str


FIXED = (
    Fixed(QUEUE, "requiresDuplicateDetection", False, "BadRequest", _BUS_PAGE),  # noqa: FBT003
    Fixed(QUEUE, "requiresSession", False, "BadRequest", _BUS_PAGE),  # noqa: FBT003
    Fixed(QUEUE, "enablePartitioning", False, "BadRequest", _BUS_PAGE),  # noqa: FBT003
    Fixed(
        BUS,
        "premiumMessagingPartitions",
        None,
        "BadRequest",
        "learn.microsoft.com, Enable partitioning in Service Bus Premium",
    ),
    Fixed(
        VAULT,
        "softDeleteRetentionInDays",
        None,
        "BadRequest",
        "learn.microsoft.com, Azure Key Vault soft-delete overview",
    ),
    Fixed(ACCOUNT, "/kind", None, "AccountPropertyCannotBeUpdated", _STORAGE_TYPES),
    Fixed(ACCOUNT, "isHnsEnabled", None, "AccountPropertyCannotBeUpdated", _STORAGE_TYPES),
    Fixed(
        ACCOUNT,
        "encryption.requireInfrastructureEncryption",
        None,
        "AccountPropertyCannotBeUpdated",
        _STORAGE_TYPES,
    ),
    Fixed(SERVER, "administratorLogin", None, "InvalidParameterValue", _DATABASE_TYPES),
    Fixed(SERVER, "backup.geoRedundantBackup", None, "InvalidParameterValue", _DATABASE_TYPES),
    Fixed(SERVER, "storage.type", None, "InvalidParameterValue", _DATABASE_TYPES),
    Fixed(SERVER, "availabilityZone", None, "InvalidParameterValue", _DATABASE_TYPES),
    Fixed(
        SERVER, "network.delegatedSubnetResourceId", None, "InvalidParameterValue", _DATABASE_TYPES
    ),
    Fixed(f"{SERVER}/databases", "charset", None, "InvalidParameterValue", _DATABASE_TYPES),
    Fixed(f"{SERVER}/databases", "collation", None, "InvalidParameterValue", _DATABASE_TYPES),
    Fixed(PLAN, "reserved", False, "BadRequest", "learn.microsoft.com, App Service plans"),  # noqa: FBT003
    Fixed(MACHINE, "osProfile.adminUsername", None, "PropertyChangeNotAllowed", _MACHINE_PAGE),
    Fixed(MACHINE, "osProfile.computerName", None, "PropertyChangeNotAllowed", _MACHINE_PAGE),
    Fixed(MACHINE, "osProfile.customData", None, "PropertyChangeNotAllowed", _MACHINE_PAGE),
    Fixed(MACHINE, "osProfile.linuxConfiguration", None, "PropertyChangeNotAllowed", _MACHINE_PAGE),
    Fixed(
        MACHINE, "storageProfile.imageReference", None, "PropertyChangeNotAllowed", _MACHINE_PAGE
    ),
    Fixed(MACHINE, "storageProfile.osDisk.name", None, "PropertyChangeNotAllowed", _MACHINE_PAGE),
    Fixed(MACHINE, "/zones", None, "PropertyChangeNotAllowed", _MACHINE_PAGE),
    Fixed(
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
        "virtualNetwork.id",
        None,
        "BadRequest",
        "learn.microsoft.com, Virtual network links, create or update",
    ),
)


def _stays(fixed: Fixed) -> Callable[[Change], Iterator[Violation]]:
    def find(change: Change) -> Iterator[Violation]:
        for old, new in change.pairs(fixed.kind):
            was, becomes = old.at(fixed.path), new.at(fixed.path)
            if is_expression(was) or is_expression(becomes):
                continue
            was = fixed.default if was is None else was
            becomes = fixed.default if becomes is None else becomes
            # What a deployment leaves out stays as it is; what it names first is checked by Azure.
            if was is not None and becomes is not None and _plain(was) != _plain(becomes):
                what = "is decided when the resource is made, and this deployment has another"
                yield Violation(new, fixed.path.removeprefix("/"), what)

    return find


def _plain(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _locations(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(*LOCATED):
        if old.location and new.location and old.location != new.location:
            yield Violation(new, "location", f"it lives in {old.location}: nothing moves")


def _group_location(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(GROUP):
        if old.location and new.location and old.location != new.location:
            yield Violation(new, "location", f"the group is in {old.location}: nothing moves")


def _tiers(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(BUS):
        was, becomes = (str(one.known("/sku.name")).lower() for one in (old, new))
        if was != becomes and "premium" in (was, becomes):
            what = f"is {was}, and a namespace does not come to or from the Premium tier"
            yield Violation(new, "sku.name", what)


def _plans(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(PLAN):
        was, becomes = (str(one.known("/sku.tier")).lower() for one in (old, new))
        if was != becomes and "flexconsumption" in (was, becomes):
            yield Violation(new, "sku.tier", "a plan does not come to or from Flex Consumption")


def _site_plans(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(SITE):
        was, becomes = (str(one.at("serverFarmId")).lower() for one in (old, new))
        if was != becomes and new.at("functionAppConfig") is not None:
            yield Violation(new, "serverFarmId", "a Flex Consumption app stays on its plan")


def _site_kinds(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(SITE):
        was, becomes = ("linux" in str(one.known("/kind")).lower() for one in (old, new))
        if was != becomes:
            yield Violation(new, "kind", "an app does not come from Windows to Linux, nor back")


def _versions(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(SERVER):
        was, becomes = str(old.known("version")), str(new.known("version"))
        if was.isdigit() and becomes.isdigit() and int(becomes) < int(was):
            yield Violation(new, "version", f"is {was} already: no server goes back")


def _disks(change: Change) -> Iterator[Violation]:
    for old, new in change.pairs(SERVER):
        path = "storage.storageSizeGB"
        was, becomes = old.known(path), new.known(path)
        size = max(was if isinstance(was, int) else 0, change.before.disks.get(new.key, 0))
        if isinstance(becomes, int) and becomes < size:
            grown = size != was
            why = "has grown to" if grown else "has"
            yield Violation(new, path, f"the disk {why} {size} GB, and no disk shrinks")


RULES: tuple[Rule[Change], ...] = (
    *(Rule(fixed.code, fixed.source, _stays(fixed)) for fixed in FIXED),
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

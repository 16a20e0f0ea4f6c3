"""Names, tags and locations that Azure refuses: lengths and characters by kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.template import Template, is_expression, members

_PAGE = "learn.microsoft.com, Naming rules and restrictions for Azure resources"
_GUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?"
_SHORT = r"[A-Za-z0-9](?:[A-Za-z0-9_.\-]*[A-Za-z0-9])?"
_SHORT_IS = "1 to 50 letters, digits and . - _, a letter or digit first and last"

# Kind -> pattern, maximum length, what it must be, and Azure's code of the refusal.
_NAMES: dict[str, tuple[str, int, str, str]] = {
    "Microsoft.Resources/resourceGroups": (
        r"[\w().\-]*[\w()\-]",
        90,
        "letters, digits and _ - . ( ), no full stop at its end, 90 at most",
        "InvalidResourceGroup",
    ),
    "Microsoft.ManagedIdentity/userAssignedIdentities": (
        r"[A-Za-z0-9][A-Za-z0-9_\-]{2,}",
        128,
        "3 to 128 letters, digits, - and _, a letter or digit first",
        "InvalidResourceName",
    ),
    "Microsoft.KeyVault/vaults": (
        r"[A-Za-z](?!.*--)[A-Za-z0-9\-]+[A-Za-z0-9]",
        24,
        "3 to 24 letters, digits and single hyphens, a letter first, no hyphen last",
        "VaultNameNotValid",
    ),
    "Microsoft.KeyVault/vaults/keys": (
        r"[A-Za-z0-9\-]+",
        127,
        "1 to 127 letters, digits and hyphens",
        "BadParameter",
    ),
    "Microsoft.KeyVault/vaults/secrets": (
        r"[A-Za-z0-9\-]+",
        127,
        "1 to 127 letters, digits and hyphens",
        "BadParameter",
    ),
    "Microsoft.Storage/storageAccounts": (
        r"[a-z0-9]{3,}",
        24,
        "3 to 24 lower-case letters and digits",
        "AccountNameInvalid",
    ),
    "Microsoft.Storage/storageAccounts/blobServices/containers": (
        r"\$root|\$web|[a-z0-9](?!.*--)[a-z0-9\-]+[a-z0-9]",
        63,
        "3 to 63 lower-case letters, digits and single hyphens",
        "ContainerOperationFailure",
    ),
    "Microsoft.ServiceBus/namespaces": (
        r"(?!.*(?:-sb|-mgmt)$)[A-Za-z][A-Za-z0-9\-]{4,}[A-Za-z0-9]",
        50,
        "6 to 50 letters, digits and hyphens, a letter first, no hyphen, -sb or -mgmt last",
        "BadRequest",
    ),
    "Microsoft.ServiceBus/namespaces/queues": (
        r"[A-Za-z0-9](?:[A-Za-z0-9_.~\-]*[A-Za-z0-9])?",
        260,
        "1 to 260 letters, digits and . - _ ~, a letter or digit first and last",
        "BadRequest",
    ),
    "Microsoft.ServiceBus/namespaces/topics": (
        r"[A-Za-z0-9](?:[A-Za-z0-9_.~\-]*[A-Za-z0-9])?",
        260,
        "1 to 260 letters, digits and . - _ ~, a letter or digit first and last",
        "BadRequest",
    ),
    "Microsoft.ServiceBus/namespaces/topics/subscriptions": (_SHORT, 50, _SHORT_IS, "BadRequest"),
    "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules": (
        rf"\$Default|{_SHORT}",
        50,
        _SHORT_IS,
        "BadRequest",
    ),
    "Microsoft.ServiceBus/namespaces/authorizationRules": (_SHORT, 50, _SHORT_IS, "BadRequest"),
    "Microsoft.ServiceBus/namespaces/queues/authorizationRules": (
        _SHORT,
        50,
        _SHORT_IS,
        "BadRequest",
    ),
    "Microsoft.ServiceBus/namespaces/topics/authorizationRules": (
        _SHORT,
        50,
        _SHORT_IS,
        "BadRequest",
    ),
    "Microsoft.Web/serverfarms": (r"[\w\-]+", 60, "1 to 60 letters, digits and - _", "BadRequest"),
    "Microsoft.Web/sites": (
        r"[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])",
        60,
        "2 to 60 letters, digits and hyphens, no hyphen first or last",
        "BadRequest",
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers": (
        r"[a-z0-9][a-z0-9\-]+[a-z0-9]",
        63,
        "3 to 63 lower-case letters, digits and hyphens, no hyphen first or last",
        "InvalidServerName",
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": (
        r"[A-Za-z_][\w\-]*",
        63,
        "1 to 63 letters, digits, - and _, no digit first",
        "InvalidDatabaseName",
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": (
        r"[A-Za-z0-9][\w\-]*(?<!-)",
        80,
        "1 to 80 letters, digits, - and _, a letter or digit first",
        "InvalidFirewallRuleName",
    ),
    "Microsoft.OperationalInsights/workspaces": (
        r"[A-Za-z0-9][A-Za-z0-9\-]{2,}[A-Za-z0-9]",
        63,
        "4 to 63 letters, digits and hyphens, no hyphen first or last",
        "InvalidResourceName",
    ),
    "Microsoft.Insights/components": (
        r"[^%&\\?/]+(?<![ .])",
        260,
        "up to 260 characters, none of % & \\ ? /, no blank or full stop last",
        "InvalidResourceName",
    ),
    "Microsoft.Authorization/roleAssignments": (
        _GUID,
        36,
        "a GUID",
        "InvalidRoleAssignmentId",
    ),
    "Microsoft.Authorization/roleDefinitions": (
        _GUID,
        36,
        "a GUID",
        "InvalidRoleDefinitionId",
    ),
    "Microsoft.Network/virtualNetworks": (
        _WORD,
        64,
        "2 to 64 of letters, digits and _ . -",
        "InvalidResourceName",
    ),
    "Microsoft.Network/privateEndpoints": (
        _WORD,
        64,
        "2 to 64 of letters, digits and _ . -",
        "InvalidResourceName",
    ),
    "Microsoft.Network/networkSecurityGroups": (
        _WORD,
        80,
        "1 to 80 of letters, digits and _ . -",
        "InvalidResourceName",
    ),
    "Microsoft.Network/networkInterfaces": (
        _WORD,
        80,
        "1 to 80 of letters, digits and _ . -",
        "InvalidResourceName",
    ),
    "Microsoft.Compute/virtualMachines": (
        _WORD,
        64,
        "1 to 64 of letters, digits and _ . -, a letter or digit first",
        "InvalidParameter",
    ),
}

LOCATED = (
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.ServiceBus/namespaces",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites",
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.Insights/components",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Compute/virtualMachines",
)


def _name(
    kind: str, pattern: str, max_length: int, what: str
) -> Callable[[Template], Iterator[Violation]]:
    def find(template: Template) -> Iterator[Violation]:
        for resource in template.of(kind):
            name = resource.name
            # A name made from values that only Azure knows cannot be checked here.
            if re.search(r"\[|\w\(", name):
                continue
            if len(name) > max_length or not re.fullmatch(pattern, name):
                yield Violation(resource, "name", f"must be {what}")

    return find


def _without_location(template: Template) -> Iterator[Violation]:
    for resource in template.of(*LOCATED):
        location = resource.body.get("location")
        if not isinstance(location, str) or not location.strip():
            yield Violation(resource, "location", "is missing")


def _tags(template: Template) -> Iterator[Violation]:
    for resource in template.resources:
        tags = members(resource.body.get("tags"))
        if len(tags) > (15 if resource.kind.startswith("microsoft.keyvault/vaults/") else 50):
            yield Violation(resource, "tags", "are too many")
        for name, value in tags.items():
            # Links between resources, which Azure creates itself, are tags with ids in their names.
            hidden = name.startswith("hidden-")
            if (re.search(r"[<>%&\\?/]", name) and not hidden) or not 0 < len(name) <= 512:
                yield Violation(
                    resource, f"tags.{name}", "its name must have none of < > % & \\ ? /"
                )
            if isinstance(value, str) and not is_expression(value) and len(value) > 256:
                yield Violation(resource, f"tags.{name}", "is longer than 256 characters")


RULES: tuple[Rule[Template], ...] = (
    *(
        Rule(code, _PAGE, _name(kind, pattern, max_length, what))
        for kind, (pattern, max_length, what, code) in _NAMES.items()
    ),
    Rule(
        "LocationRequired",
        "learn.microsoft.com, Set resource location in ARM template",
        _without_location,
    ),
    Rule(
        "InvalidTagNameCharacters",
        "learn.microsoft.com, Use tags to organize your Azure resources, limitations",
        _tags,
    ),
)

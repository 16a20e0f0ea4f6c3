"""The resources that Microsoft Entra ID has in every tenant, and so issues tokens for.

Source: the documentation of each service on managed identities, "Azure services that support
Microsoft Entra authentication". A vault, a namespace, a storage account and others can also be
asked for by their own addresses; the service then decides whether it takes such an audience.
"""

from __future__ import annotations

import re

_SHARED = frozenset(
    {
        "https://api.applicationinsights.io",
        "https://api.loganalytics.io",
        "https://azconfig.io",
        "https://batch.core.windows.net",
        "https://cognitiveservices.azure.com",
        "https://communication.azure.com",
        "https://containerregistry.azure.net",
        "https://cosmos.azure.com",
        "https://database.windows.net",
        "https://datalake.azure.net",
        "https://dev.azuresynapse.net",
        "https://digitaltwins.azure.net",
        "https://eventgrid.azure.net",
        "https://eventhubs.azure.net",
        "https://graph.microsoft.com",
        "https://iothubs.azure.net",
        "https://managedhsm.azure.net",
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://monitor.azure.com",
        "https://ossrdbms-aad.database.windows.net",
        "https://purview.azure.net",
        "https://redis.azure.com",
        "https://search.azure.com",
        "https://servicebus.azure.net",
        "https://storage.azure.com",
        "https://vault.azure.net",
        "https://webpubsub.azure.com",
    }
)
_OWN = re.compile(
    r"https://[a-z0-9][a-z0-9-]{1,62}\.(?:vault\.azure\.net|managedhsm\.azure\.net"
    r"|servicebus\.windows\.net|azconfig\.io|documents\.azure\.com"
    r"|(?:blob|queue|table|file|dfs)\.core\.windows\.net|[a-z0-9]{1,30}\.kusto\.windows\.net)",
    re.ASCII,
)


def is_known(resource: str) -> bool:
    """Return whether tokens are issued for a resource, with or without a slash at its end."""
    bare = resource.lower().removesuffix("/")
    # Two slashes are what an SDK makes of `https://…//.default`; Entra ID takes them.
    bare = bare.removesuffix("/")
    return bare in _SHARED or bool(_OWN.fullmatch(bare))

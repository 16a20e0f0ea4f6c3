"""`local.settings.json`, as the Functions Core Tools read it, for an app beside the local cloud.

Sources: "Code and test Azure Functions locally" (local settings file) and "App settings reference
for Azure Functions", Microsoft Learn.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from local.cli.client import Client, RequestRefusedError
from local.cli.status import as_object
from local.known_names import unknown_name
from local.net.folder import ROOT, write_private
from local.net.trust import trust_variables

DEFAULT_OUTPUT = ROOT / "local.settings.json"
# Addresses of Azure, to which nothing must go from here.
_DROPPED = ("applicationinsights_", "azurewebjobsstorage")
_NAMESPACE = "__fullyqualifiednamespace"
_OWN = {
    "FUNCTIONS_WORKER_RUNTIME": "python",
    # Access keys are kept in files; what else the host stores, it stores in Azurite.
    "AzureWebJobsSecretStorageType": "files",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "FUNCTIONS_CORE_TOOLS_TELEMETRY_OPTOUT": "1",
}


def local_settings(environment: Mapping[str, str], ca_file: Path, port: int) -> dict[str, object]:
    """Return the content of the file: `environment` is that of the app in the local cloud.

    The trigger's client is .NET's, which takes a host and no port: the namespace is this machine.
    """
    values = {
        name: "localhost" if name.lower().endswith(_NAMESPACE) else value
        for name, value in environment.items()
        if not name.lower().startswith(_DROPPED)
    }
    values |= {**_OWN, **trust_variables(ca_file)}
    return {
        "IsEncrypted": False,
        "Values": dict(sorted(values.items())),
        "Host": {"LocalHttpPort": port},
    }


def write_settings(options: argparse.Namespace) -> int:
    """Write the file for an app of the cloud that is up."""
    client = Client(options.folder)
    apps = as_object(as_object(client.control("GET", "/status"))["apps"])
    if options.app not in apps:
        raise RequestRefusedError(unknown_name(options.app, apps, "app"))
    port = urlsplit(client.url(options.app)).port or 0
    content = local_settings(client.environment(options.app), Path(client.url("ca")), port)
    # It has the app's IDENTITY_HEADER.
    write_private(options.output.absolute(), (json.dumps(content, indent=2) + "\n").encode())
    print(options.output)
    return 0

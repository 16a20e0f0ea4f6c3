"""The settings that `infra/access.json` gives each app."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from checks.declaration import Access, DeclaredApp
from checks.queue_sizes import DEFAULTS, max_waiting_mb
from checks.snapshot import SUFFIX
from shared.settings.settings import SenderSettings
from shared.settings.version import DEPLOYMENT_VERSION


def declared_settings(
    access: Access,
    app: DeclaredApp,
    chosen: Mapping[str, str] = MappingProxyType({}),
    queue_sizes: Mapping[str, int] = DEFAULTS,
) -> dict[str, str]:
    """Return the settings of an app; a value known at run time only is as `render` returns it.

    `chosen` are its optional settings, of which the limit of payloads decides that of bodies.
    `queue_sizes` are in MB: they decide how much may be under way.
    """
    largest = int(chosen.get("RELAY_MAX_PAYLOAD_BYTES") or SenderSettings.max_payload_bytes)
    settings = {
        "RELAY_APP": app["name"],
        "RELAY_DEPLOYMENT_VERSION": str(DEPLOYMENT_VERSION),
        "AzureWebJobsStorage__blobServiceUri": (
            f"https://{app['name']}{SUFFIX}.blob.core.windows.net"
        ),
        "AzureWebJobsDisableHomepage": "true",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(largest + 2**20),
        "AzureWebJobsStorage__credential": "managedidentity",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "ConnectionString of telemetry/relay",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "Authorization=AAD",
        "PYTHON_ENABLE_OPENTELEMETRY": "true",
        "OTEL_TRACES_SAMPLER": "microsoft.fixed_percentage",
        "OTEL_TRACES_SAMPLER_ARG": "0.1",
    }
    for name in app["identities"]:
        if name == app["package"]:
            continue  # the platform's alone
        settings[_setting("IDENTITY", name)] = f"clientId of identities/{name}"
    settings["RELAY_BUS__fullyQualifiedNamespace"] = f"relay-{SUFFIX}.servicebus.windows.net"
    settings |= _usable(access, app) | _known(access)
    if trigger := app.get("trigger"):
        settings["RELAY_BUS__credential"] = "managedidentity"
        settings["RELAY_BUS__clientId"] = f"clientId of identities/{trigger['identity']}"
    if app["name"] == "sender":
        waiting = chosen.get("RELAY_MAX_WAITING_MB") or str(max_waiting_mb(queue_sizes))
        settings["RELAY_MAX_WAITING_MB"] = waiting
    if status := app.get("status"):
        settings["RELAY_STATUS_URL"] = f"https://relay-{status}-{SUFFIX}.azurewebsites.net"
    return settings


def _usable(access: Access, app: DeclaredApp) -> dict[str, str]:
    """Return a setting for every object that an identity of the app has a grant on."""
    settings = {}
    for key in access["keyGrants"]:
        if key["identity"] in app["identities"]:
            url = f"keyUri of vaults/{key['vault']}/keys/{key['key']}"
            settings[_setting("KEY", key["key"])] = url
    for secret in access["secretGrants"]:
        if secret["identity"] in app["identities"]:
            url = f"secretUri of vaults/{secret['vault']}/secrets/{secret['secret']}"
            settings[_setting("SECRET", secret["secret"])] = url
    for queue in access["queueGrants"]:
        if queue["identity"] in app["identities"]:
            settings[_setting("QUEUE", queue["queue"])] = queue["queue"]
    return settings


def _known(access: Access) -> dict[str, str]:
    """Return a setting for everything there is: the access audit tries each in every app."""
    settings = {}
    for identity in access["identities"]:
        value = f"clientId of identities/{identity['name']}"
        settings[_setting("ACCESS_IDENTITY", identity["name"])] = value
    for key in access["keys"]:
        value = f"keyUri of vaults/{key['vault']}/keys/{key['name']}"
        settings[_setting("ACCESS_KEY", key["name"])] = value
    for secret in access["secrets"]:
        value = f"secretUri of vaults/{secret['vault']}/secrets/{secret['name']}"
        settings[_setting("ACCESS_SECRET", secret["name"])] = value
    for queue in access["queues"]:
        settings[_setting("ACCESS_QUEUE", queue["name"])] = queue["name"]
    return settings


def _setting(family: str, name: str) -> str:
    return f"RELAY_{family}_{name.upper().replace('-', '_')}"

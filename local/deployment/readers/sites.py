"""Function apps: their identities and their settings."""

from __future__ import annotations

from local.deployment.readers.identities import Attached
from local.deployment.readers.references import References
from local.deployment.resource_id import last
from local.deployment.resources import AppSpec
from local.deployment.snapshot import SnapshotLocation, SnapshotObject, SnapshotResource
from local.resource_manager.expressions import Reference
from local.resource_manager.template import items, members

KIND = "Microsoft.Web/sites"


def read(resource: SnapshotResource, identities: Attached, references: References) -> AppSpec:
    """Read an app whose `identity` has been read."""
    _check_kind(resource)
    body = resource.properties
    # Where the app runs and how the network reaches it; here it runs on this machine.
    body.ignore("serverFarmId", "httpsOnly", "publicNetworkAccess", "virtualNetworkSubnetId")
    body.ignore("vnetRouteAllEnabled", "outboundVnetRouting", "clientAffinityEnabled", "reserved")
    body.ignore("dnsConfiguration", "endToEndEncryptionEnabled")
    body.only("enabled", allowed=True, why="a disabled app is not supported here")
    body.only("clientCertEnabled", allowed=False, why="client certificates are not checked here")
    _check_function_app(body.body("functionAppConfig"))
    config = body.body("siteConfig")
    config.ignore("minTlsVersion", "minTlsCipherSuite", "scmMinTlsVersion", "ftpsState")
    config.ignore("http20Enabled", "vnetRouteAllEnabled", "remoteDebuggingEnabled")
    # What other plans than Flex Consumption take, and how they scale: here it is this machine.
    config.ignore("alwaysOn", "linuxFxVersion", "use32BitWorkerProcess", "numberOfWorkers")
    config.ignore("functionAppScaleLimit", "minimumElasticInstanceCount", "preWarmedInstanceCount")
    config.ignore("pythonVersion", "functionsRuntimeScaleMonitoringEnabled")
    settings = _settings(config.bodies("appSettings"), references)
    config.reject_unread()
    resource.reject_unread()
    app = settings.get("RELAY_APP")
    if not isinstance(app, str):
        raise (body.found_at / "siteConfig.appSettings").error("RELAY_APP must name the app")
    return AppSpec(
        resource.id,
        last(resource.id),
        app,
        identities.user_assigned,
        identities.system_assigned,
        settings,
    )


def names_its_app(resource: SnapshotResource) -> bool:
    """Return whether a site is an app of this project, by its setting RELAY_APP."""
    config = members(resource.properties.peek("siteConfig"))
    return any(members(one).get("name") == "RELAY_APP" for one in items(config.get("appSettings")))


def _check_kind(resource: SnapshotResource) -> None:
    kinds = resource.envelope.text("kind", "app").split(",")
    if "functionapp" not in kinds:
        raise (resource.found_at / "kind").error("only function apps are supported here")


def _check_function_app(config: SnapshotObject) -> None:
    # How Azure gets the package, how many copies it runs, and how it replaces them.
    config.ignore("deployment", "scaleAndConcurrency", "siteUpdateStrategy")
    runtime = config.body("runtime")
    runtime.choice("name", ("python",), "python")
    # The interpreter is the one that runs the local cloud.
    runtime.ignore("version")
    runtime.reject_unread()
    config.reject_unread()


def _settings(bodies: list[SnapshotObject], references: References) -> dict[str, str | Reference]:
    settings: dict[str, str | Reference] = {}
    for body in bodies:
        name = body.text("name")
        # On Windows environment variables differ by more than case, so these are the same setting.
        if name.lower() in (known.lower() for known in settings):
            raise (body.found_at / "name").error(f"setting {name} is given twice")
        place = SnapshotLocation(
            body.found_at.file, body.found_at.resource, f"{body.found_at.path} ({name})"
        )
        settings[name] = references.resolve(body.value("value"), place)
        _check_plain(settings[name], place)
        body.ignore("slotSetting")
        body.reject_unread()
    return settings


def _check_plain(value: str | Reference, place: SnapshotLocation) -> None:
    if isinstance(value, str) and value.lower().startswith("@microsoft."):
        raise place.error("references to Key Vault in settings are not resolved here")

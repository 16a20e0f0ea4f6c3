"""Properties and settings of a site that the Flex Consumption plan refuses, with sources.

Resource Manager answers BadRequest with the extended code 51021. Older regional stamps ignore some
of them, newer ones refuse, and refusal is intended for all (a moderator of Microsoft's, in Q&A
2275500), so that acceptance in one region is no evidence.
"""

from __future__ import annotations

SETTINGS_PAGE = "learn.microsoft.com, App settings reference, Flex Consumption plan deprecations"
MIGRATION = "Azure CLI, functionapp flex-migration: the settings it leaves out"
AVM = "Azure/terraform-azurerm-avm-res-web-site"

_INSTEAD_OF_STACK = "use functionAppConfig.runtime"
_INSTEAD_OF_SCALE = "use functionAppConfig.scaleAndConcurrency"
_INSTEAD_OF_VIRTUAL_NETWORK = "all traffic goes through the network that the site is in"
_LINUX = "the plan runs Linux, in 64 bits"

# In `siteConfig`, or in the site beside it: people put them in either place. Name -> what to do
# instead, and the source.
PROPERTIES: dict[str, tuple[str, str]] = {
    "alwaysOn": (_INSTEAD_OF_SCALE, f"{SETTINGS_PAGE}; {AVM} 345"),
    "containerSize": ("use functionAppConfig.scaleAndConcurrency.instanceMemoryMB", SETTINGS_PAGE),
    "ftpsState": (
        "there is no FTP; basicPublishingCredentialsPolicies close publishing by password",
        "microsoft/azure-pipelines-tasks 21032; Azure/azure-cli 31414",
    ),
    "functionAppScaleLimit": (
        _INSTEAD_OF_SCALE,
        "Azure/azure-functions-host 10643; microsoft/azure-pipelines-tasks 22254",
    ),
    "functionsRuntimeScaleMonitoringEnabled": (
        _INSTEAD_OF_SCALE,
        f"{AVM} 360; microsoft/azure-pipelines-tasks 21032",
    ),
    "isReserved": (_LINUX, SETTINGS_PAGE),
    "isXenon": (_LINUX, SETTINGS_PAGE),
    "javaContainer": (_INSTEAD_OF_STACK, f"{AVM} 345"),
    "javaContainerVersion": (_INSTEAD_OF_STACK, f"{AVM} 345"),
    "javaVersion": (_INSTEAD_OF_STACK, f"{SETTINGS_PAGE}; {AVM} 345"),
    "linuxFxVersion": (_INSTEAD_OF_STACK, f"{AVM} 283; {SETTINGS_PAGE}"),
    "minimumElasticInstanceCount": (_INSTEAD_OF_SCALE, f"{AVM} 345 and 353"),
    "netFrameworkVersion": (
        _INSTEAD_OF_STACK,
        "microsoft/azure-pipelines-tasks 21032; Azure/azure-cli 31414",
    ),
    "nodeVersion": (_INSTEAD_OF_STACK, f"{AVM} 345"),
    "numberOfWorkers": (_INSTEAD_OF_SCALE, f"{AVM} 345"),
    "phpVersion": (_INSTEAD_OF_STACK, f"{AVM} 345"),
    "powerShellVersion": (_INSTEAD_OF_STACK, f"{SETTINGS_PAGE}; {AVM} 345"),
    "preWarmedInstanceCount": (
        "functionAppConfig.scaleAndConcurrency.alwaysReady keeps instances warm",
        "Azure/azure-cli 31414",
    ),
    "pythonVersion": (_INSTEAD_OF_STACK, f"{AVM} 345"),
    "use32BitWorkerProcess": (_LINUX, "microsoft/azure-pipelines-tasks 21032"),
    "vnetBackupRestoreEnabled": (_INSTEAD_OF_VIRTUAL_NETWORK, SETTINGS_PAGE),
    "vnetContentShareEnabled": (_INSTEAD_OF_VIRTUAL_NETWORK, SETTINGS_PAGE),
    "vnetImagePullEnabled": (_INSTEAD_OF_VIRTUAL_NETWORK, SETTINGS_PAGE),
    "vnetRouteAllEnabled": (_INSTEAD_OF_VIRTUAL_NETWORK, SETTINGS_PAGE),
    "windowsFxVersion": (_LINUX, f"{SETTINGS_PAGE}; {AVM} 345"),
}

_PACKAGE = "use functionAppConfig.deployment"
_BUILD = "it is an option of each upload"

SETTINGS: dict[str, tuple[str, str]] = {
    "ENABLE_ORYX_BUILD": (_BUILD, SETTINGS_PAGE),
    "FUNCTIONS_EXTENSION_VERSION": (
        "the platform sets it",
        f"{SETTINGS_PAGE} (accepted by some: Azure/azure-functions-host 10714)",
    ),
    "FUNCTIONS_MAX_HTTP_CONCURRENCY": (
        "use functionAppConfig.scaleAndConcurrency.triggers.http.perInstanceConcurrency",
        SETTINGS_PAGE,
    ),
    "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED": (_INSTEAD_OF_SCALE, SETTINGS_PAGE),
    "FUNCTIONS_WORKER_PROCESS_COUNT": (_INSTEAD_OF_SCALE, SETTINGS_PAGE),
    "FUNCTIONS_WORKER_RUNTIME": (
        _INSTEAD_OF_STACK,
        "Azure/azure-functions-core-tools 4645; Azure/azure-functions-host 11908",
    ),
    "FUNCTIONS_WORKER_RUNTIME_VERSION": (_INSTEAD_OF_STACK, SETTINGS_PAGE),
    "SCM_DO_BUILD_DURING_DEPLOYMENT": (_BUILD, SETTINGS_PAGE),
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING": (_PACKAGE, SETTINGS_PAGE),
    "WEBSITE_CONTENTOVERVNET": (_INSTEAD_OF_VIRTUAL_NETWORK, SETTINGS_PAGE),
    "WEBSITE_CONTENTSHARE": (_PACKAGE, SETTINGS_PAGE),
    "WEBSITE_DNS_SERVER": ("DNS is that of the virtual network", SETTINGS_PAGE),
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT": (_INSTEAD_OF_SCALE, SETTINGS_PAGE),
    "WEBSITE_MOUNT_ENABLED": (_PACKAGE, MIGRATION),
    "WEBSITE_NODE_DEFAULT_VERSION": (_INSTEAD_OF_STACK, SETTINGS_PAGE),
    "WEBSITE_RUN_FROM_PACKAGE": (_PACKAGE, SETTINGS_PAGE),
    "WEBSITE_SKIP_CONTENTSHARE_VALIDATION": (_PACKAGE, SETTINGS_PAGE),
    "WEBSITE_USE_PLACEHOLDER_DOTNETISOLATED": (_INSTEAD_OF_SCALE, MIGRATION),
    "WEBSITE_VNET_ROUTE_ALL": (_INSTEAD_OF_VIRTUAL_NETWORK, SETTINGS_PAGE),
}

# Accepted without an error, and then the app fails.
HARMFUL_SETTINGS: dict[str, tuple[str, str]] = dict.fromkeys(
    ("TZ", "WEBSITE_TIME_ZONE"),
    (
        "on Linux it breaks TLS and metrics of the app; times are UTC",
        "learn.microsoft.com, App settings reference, WEBSITE_TIME_ZONE",
    ),
)

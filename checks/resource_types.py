"""The resource types that checks look at, as Resource Manager spells them."""

from __future__ import annotations

VAULT = "Microsoft.KeyVault/vaults"
KEY = f"{VAULT}/keys"
SECRET = f"{VAULT}/secrets"
BUS = "Microsoft.ServiceBus/namespaces"
STORAGE = "Microsoft.Storage/storageAccounts"
CONTAINER = f"{STORAGE}/blobServices/containers"
SITE = "Microsoft.Web/sites"
PASSWORD = f"{SITE}/basicPublishingCredentialsPolicies"
COMPONENT = "Microsoft.Insights/components"
WORKSPACE = "Microsoft.OperationalInsights/workspaces"
DATABASE = "Microsoft.DBforPostgreSQL/flexibleServers"
ALERT = "Microsoft.Insights/metricAlerts"

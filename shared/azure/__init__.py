"""The Azure services that the apps call: Key Vault, Service Bus and managed identities."""

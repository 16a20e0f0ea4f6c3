"""The host's own client of Service Bus, which receives as that of Azure's host does."""

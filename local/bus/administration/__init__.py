"""The administration of a namespace over HTTPS: its queues, topics, subscriptions and rules."""

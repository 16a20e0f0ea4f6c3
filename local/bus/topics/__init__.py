"""The rules of subscriptions: filters and actions over messages, pure."""

"""A Functions host for one app: what `func start` does for HTTP and Service Bus queue triggers."""

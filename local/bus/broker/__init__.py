"""Queues with what Service Bus promises of them, and the journal that keeps them; no sockets."""

"""Delivery to the partner: a webhook or a queue, when it is tried again, and how it can end."""

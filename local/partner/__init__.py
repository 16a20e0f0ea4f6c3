"""The partner in the other network: a webhook that checks signatures, and a queue."""

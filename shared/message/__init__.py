"""The sealed message: its id, its envelope, its keys, its form on the bus, its receipts."""

"""The control endpoint of a running local cloud: status, commands, faults and the audit log."""

"""The control endpoint of a running local cloud: status, faults and decisions."""

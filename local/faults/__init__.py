"""Faults on demand, as decisions without I/O."""

"""The commands of the local cloud, and their client of a running one."""

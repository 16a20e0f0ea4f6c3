"""The commands of the local cloud, and the client that they talk to a running one with."""

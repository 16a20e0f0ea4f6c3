"""The access probes inside an app: what its identities may do, probed without doing it."""

"""The proof of access inside an app: what its identities may do, tried without doing it."""

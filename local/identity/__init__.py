"""Managed identities: their token endpoints, and the tokens that these issue."""

"""An error that ends every command in the same manner."""

from __future__ import annotations


class LocalCloudError(Exception):
    """The local cloud is not up, does not answer, or refuses; the text says what to do."""

"""The one way a host says that it cannot run an app."""

from __future__ import annotations


class AppRefusedError(Exception):
    """The app, its host.json or its settings ask for something this host does not support."""

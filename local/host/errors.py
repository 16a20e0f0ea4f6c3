"""The error of an app that this host cannot run."""

from __future__ import annotations


class AppRefusedError(Exception):
    """The app, its host.json or its settings ask for something this host does not support."""

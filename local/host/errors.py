"""The one way a host says that it cannot run an app."""

from __future__ import annotations


class AppRefused(Exception):  # noqa: N818 - named after what happened to the app
    """The app, its host.json or its settings ask for something this host cannot honour."""

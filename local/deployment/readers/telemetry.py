"""Application Insights: nothing is sent there from this machine."""

from __future__ import annotations

KIND = "Microsoft.Insights/components"
CONNECTION: tuple[str, str] = ("ConnectionString", "")
"""The run-time property that names a component, and what it is here: empty, which counts as absent,
so that an app neither imports an exporter nor asks for a token to send with."""

"""Whether a collector takes what is exported: one line when it stops, and one when it does again.

The exporters' own lines come with every try, for as long as it is away.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

_EXPORTERS = "opentelemetry.exporter.otlp.proto.http"  # their loggers


class Stoppable(Protocol):
    """An exporter."""

    def shutdown(self) -> None:
        """End it: what it is doing is cut short, and it takes nothing any more."""


class CollectorWatch:
    """Which kinds of telemetry are taken right now: `traces`, `metrics` and `logs`.

    Their exporters call it on threads of their own.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._exporters: dict[str, Stoppable] = {}
        self._is_taken: dict[str, bool] = {}

    def add(self, kind: str, exporter: Stoppable) -> None:
        """Watch an exporter."""
        self._exporters[kind] = exporter

    def exported(self, kind: str, *, is_taken: bool) -> None:
        """Record how one export ended."""
        with self._lock:
            was_failing = self._is_failing()
            self._is_taken[kind] = is_taken
            is_failing = self._is_failing()
        # Outside of the lock: the line is telemetry as well.
        if is_failing and not was_failing:
            self._log.warning(
                "telemetry is not exported, until further notice: the collector does not take %s",
                kind,
            )
        elif was_failing and not is_failing:
            self._log.warning("telemetry is exported again")

    def give_up(self) -> None:
        """End the exporters that fail: the end of a process does not wait for a collector.

        Those as well that have not exported yet, which some do once a minute: it is one collector
        as a rule.
        """
        with self._lock:
            if not self._is_failing():
                return
            working = [kind for kind, is_taken in self._is_taken.items() if is_taken]
        for kind, exporter in self._exporters.items():
            if kind not in working:
                exporter.shutdown()

    def _is_failing(self) -> bool:
        return not all(self._is_taken.values())


def silence_exporters() -> None:
    """Leave out what the exporters log of each try, unless level DEBUG is set."""
    if logging.getLogger().getEffectiveLevel() > logging.DEBUG:
        logging.getLogger(_EXPORTERS).setLevel(logging.CRITICAL)

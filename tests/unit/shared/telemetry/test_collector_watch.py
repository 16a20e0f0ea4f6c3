"""A collector that is away: what the log says of it, and that a process ends without it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest

from shared.telemetry.collector_watch import CollectorWatch

LOG = logging.getLogger("shared.of_this_test")


@dataclass
class Exporter:
    is_shut_down: bool = False

    def shutdown(self) -> None:
        self.is_shut_down = True


def test_an_outage_is_one_line_when_it_begins_and_one_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = CollectorWatch(LOG)
    for is_taken in (True, False, False):
        for kind in ("traces", "metrics", "logs"):
            watch.exported(kind, is_taken=is_taken)
    assert caplog.messages == [
        "telemetry is not exported, until further notice: the collector does not take traces"
    ]
    for kind in ("traces", "metrics"):
        watch.exported(kind, is_taken=True)
    assert len(caplog.messages) == 1, "logs are not taken yet"
    for _ in range(2):
        watch.exported("logs", is_taken=True)
    assert caplog.messages[1:] == ["telemetry is exported again"]


@pytest.mark.parametrize(
    ("results", "cut_short"),
    [
        ([], set()),
        ([("traces", True)], set()),
        ([("traces", False)], {"traces", "metrics", "logs"}),
        ([("traces", False), ("metrics", True)], {"traces", "logs"}),
        ([("traces", False), ("traces", True)], set()),
    ],
)
def test_what_fails_or_has_not_exported_yet_is_cut_short_at_the_end(
    results: list[tuple[str, bool]], cut_short: set[str]
) -> None:
    watch = CollectorWatch(LOG)
    exporters = {kind: Exporter() for kind in ("traces", "metrics", "logs")}
    for kind, exporter in exporters.items():
        watch.add(kind, exporter)
    for kind, is_taken in results:
        watch.exported(kind, is_taken=is_taken)
    watch.give_up()
    assert {kind for kind, exporter in exporters.items() if exporter.is_shut_down} == cut_short

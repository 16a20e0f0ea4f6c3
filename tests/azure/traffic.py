"""Steps about what runs: from zero, while the partner is away, and under many callers."""

from __future__ import annotations

from shared.partner.retries import Schedule
from shared.settings.settings import ReceiverSettings
from tests.azure.finding import Finding
from tests.azure.stage import Stage
from tests.azure.verdicts import (
    last_attempt_seconds,
    no_early_arrival,
    not_at_zero,
    peak,
    took_load,
    within_connections,
)

_MESSAGES = 200
_CALLERS = 500
_LOAD_SECONDS = 120.0
_CONNECTIONS = 35  # of PostgreSQL's Standard_B1ms, less what it keeps for itself
_IDLE_SECONDS = 2400.0
_LAG_SECONDS = 300.0  # what Azure Monitor takes to show a value


def scale_from_zero(stage: Stage) -> Finding:
    """Leave the receiver alone until it has no instance, and let the queue's length start one."""
    stage.ready()
    receiver = stage.site("receiver")

    def instances() -> list[float | None]:
        return stage.measured(receiver, "InstanceCount", "Maximum", hours=1)

    # Nothing is asked of it meanwhile: a look at its health would start an instance.
    stage.edges.sleep(_LAG_SECONDS)
    idle = stage.edges.until(instances, lambda found: not not_at_zero(found), _IDLE_SECONDS, 60)
    problems = not_at_zero(idle)
    start = stage.edges.now()
    sent = stage.send(_MESSAGES)
    problems += took_load(sent)
    problems += stage.arrival(sent.accepted)
    took = round(stage.edges.now() - start)
    stage.edges.sleep(_LAG_SECONDS)
    most = peak(instances())
    return Finding(problems, {"seconds to the last message": took, "most instances": most})


def partner_away(stage: Stage, minutes: float) -> Finding:
    """Send while the partner is away for so long: all of it is delivered after, none rejected."""
    stage.ready()
    away = minutes * 60
    stage.partner.go_away()
    try:
        sent = list(stage.send(20).accepted)
        stage.edges.sleep(away / 2)
        sent += stage.send(20).accepted
        stage.edges.sleep(away / 2)
        problems = no_early_arrival(sent, stage.partner.arrived())
    finally:
        stage.partner.come_back()
    patience = last_attempt_seconds(_schedule(), away) - away
    problems += stage.arrival(sent, patience=patience)
    repeats = sum(stage.partner.arrived().get(one, 0) - 1 for one in sent)
    return Finding(problems, {"messages": len(sent), "repeats at the partner": repeats})


def many_callers(stage: Stage) -> Finding:
    """Let 500 callers send at once: the database holds, and what was accepted is delivered."""
    stage.ready()
    answers = stage.load(_CALLERS, _LOAD_SECONDS)
    problems = took_load(answers)
    stage.edges.sleep(_LAG_SECONDS)
    server = (
        f"{stage.group_id}/providers/Microsoft.DBforPostgreSQL/flexibleServers/relay-{stage.suffix}"
    )
    connections = stage.measured(server, "active_connections", "Maximum", hours=1)
    problems += within_connections(connections, _CONNECTIONS)
    problems += stage.arrival(answers.accepted, patience=3600)
    return Finding(
        problems,
        {
            "answers": dict(answers.statuses),
            "most connections": peak(connections),
        },
    )


def _schedule() -> Schedule:
    """The deployment sets none, so it is the one that is built in."""
    return next(
        field.default
        for field in ReceiverSettings.__dataclass_fields__.values()
        if isinstance(field.default, Schedule)
    )

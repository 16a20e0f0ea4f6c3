"""The CPU time of processes, as the kernel counts it (Linux; elsewhere nothing is known)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU seconds, user and system, that running processes have used; 0 of the rest."""
    return sum(map(_ticks, pids)) / _TICKS


def own_seconds() -> float:
    """Return the CPU seconds of this process and of all that it has started and seen end."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def machine_seconds() -> float:
    """Return the CPU seconds that the machine was not idle since it started; 0 if unknown."""
    try:
        first = (_PROC / "stat").read_text().partition("\n")[0]
    except OSError:
        return 0.0
    # proc(5): user, nice, system, idle, iowait, irq, softirq, steal; guests are in user and nice.
    user, nice, system, _, _, *interrupts_and_steal = map(int, first.split()[1:9])
    return (user + nice + system + sum(interrupts_and_steal)) / _TICKS


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    try:
        # One thread each of our processes starts others: its main one.
        text = (_PROC / str(pid) / "task" / str(pid) / "children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def command_line(pid: int) -> list[str]:
    """Return the command line of a process; empty if it does not run."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().decode().rstrip("\0").split("\0")
    except OSError:
        return []


def _ticks(pid: int) -> int:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return 0
    # The name, in brackets, may contain anything; utime and stime are the 12th and 13th after it.
    fields = text.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])

"""What a run was made on: the machine, its load, the versions."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from bench.processes import machine_seconds, own_seconds

_PACKAGES = (
    "azure-functions-runtime",
    "azure-servicebus",
    "azure-keyvault-keys",
    "aiohttp",
    "cryptography",
    "pybase64",
    "sqlalchemy",
    "aws-encryption-sdk",
    "confluent-kafka",
    "joserfc",
    "tink",
)


def describe() -> dict[str, object]:
    """Return system, processors, Python and the versions of the packages that matter."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def load() -> Mapping[str, object]:
    """Return the time, and how many processes wanted a processor: in the last 1, 5, 15 minutes."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"at": now, "load_average": [round(one, 2) for one in os.getloadavg()]}


class Others:
    """How much of the machine the processes of others use, from its making on."""

    def __init__(self) -> None:
        self._at, self._used = time.monotonic(), self._by_others()

    def share(self) -> float:
        """Return the share of all processors, from 0 to 1."""
        seconds = (time.monotonic() - self._at) * (os.cpu_count() or 1)
        return round(max(0.0, self._by_others() - self._used) / seconds, 3)

    def _by_others(self) -> float:
        return machine_seconds() - own_seconds()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

"""What a run was made on: the machine, its load, the versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

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


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

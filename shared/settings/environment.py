"""The environment of a process, read into one typed, validated object per app."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from shared.azure.key_vault_id import KeyVaultId
from shared.errors import RelayError
from shared.settings.format_settings import restrict_formats
from shared.settings.inventory import ACCESS_PREFIXES, Inventory, read_inventory
from shared.settings.platform_variables import environment_problems
from shared.settings.settings import APPS, AppName, AppSettings, optional_names, required_names
from shared.settings.version import DEPLOYMENT_VERSION
from shared.standards.addresses import is_loopback

# One setting for each identity and object that an app was given; the names are the deployment's.
PREFIXES = ("RELAY_IDENTITY_", "RELAY_KEY_", "RELAY_SECRET_", "RELAY_QUEUE_")
_log = logging.getLogger(__name__)


class SettingsError(RelayError):
    """Settings are missing, wrong or unknown; `problems` names all of them, a line each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"the settings of this app need correcting:{lines}")


def load(environ: Mapping[str, str]) -> dict[AppName, AppSettings]:
    """Read the settings of each app that `RELAY_APP` names, or raise `SettingsError`.

    A message names settings and what is wrong with them, never a value: one in the wrong
    setting may well be a secret. Settings that are unknown because the deployment is newer than
    this code are named in a warning, and ignored: a deployment is applied before the code of it.
    """
    apps, problems = _apps(environ.get("RELAY_APP", ""))
    read = {app: _read(APPS[app], environ, problems) for app in apps}
    unknown = _unknown(apps, environ) if apps else []
    is_newer = any(map(_is_newer, read.values()))
    for values in read.values():
        unknown += restrict_formats(values, problems)
    if is_newer:
        _warn_of(unknown)
    else:
        problems += unknown
    problems += environment_problems(environ)
    for values in read.values():
        problems += _unverified(values)
    read_inventory(environ, problems)
    if problems:
        raise SettingsError(list(dict.fromkeys(problems)))
    return {app: APPS[app](**values) for app, values in read.items()}


def bus_settings(environ: Mapping[str, str]) -> AppSettings:
    """Read what every app needs, for a program that is not an app. Raises `SettingsError`."""
    problems: list[str] = []
    values = _read(AppSettings, environ, problems)
    if problems:
        raise SettingsError(problems)
    return AppSettings(**values)


def inventory(environ: Mapping[str, str]) -> Inventory:
    """Read what the access audit probes, `RELAY_ACCESS_<kind>_<name>`; raise `SettingsError`."""
    problems: list[str] = []
    found = read_inventory(environ, problems)
    if problems:
        raise SettingsError(problems)
    return found


def _apps(text: str) -> tuple[list[AppName], list[str]]:
    named = [name.strip() for name in text.split(",") if name.strip()]
    apps: list[AppName] = [app for app in APPS if app in named]
    if not named or set(named) - set(APPS):
        return apps, [f"RELAY_APP must be one of {', '.join(APPS)}, or several with commas between"]
    return apps, []


def _read(
    kind: type[AppSettings], environ: Mapping[str, str], problems: list[str]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        name, text = field.metadata["name"], environ.get(field.metadata["name"], "").strip()
        if text:
            try:
                values[field.name] = field.metadata["read"](text)
            except ValueError as error:
                problems.append(f"{name} {error}")
        elif field.default is dataclasses.MISSING:
            problems.append(f"{name} is missing: {field.metadata['meaning']}")
    return values


def _unverified(values: Mapping[str, Any]) -> list[str]:
    """Return a problem where a vault elsewhere would not be verified."""
    hosts = [
        urlsplit(value.vault_url).hostname or ""
        for value in values.values()
        if isinstance(value, KeyVaultId)
    ]
    if values.get("verify_challenge", True) or all(map(is_loopback, hosts)):
        return []
    return ["RELAY_VERIFY_CHALLENGE may be false only where all vaults are on loopback"]


def _unknown(apps: list[AppName], environ: Mapping[str, str]) -> list[str]:
    known = frozenset().union(*(required_names(app) | optional_names(app) for app in apps))
    prefixes = (*PREFIXES, *(prefix for prefix, _ in ACCESS_PREFIXES))
    unknown = [
        name
        for name in sorted(environ)
        if name.startswith("RELAY_") and name not in known and not name.startswith(prefixes)
    ]
    return [f"{name} is not a setting of this app{_suggestion(name, known)}" for name in unknown]


def _of_others(known: frozenset[str]) -> Mapping[str, list[AppName]]:
    """Return the settings that only other apps have, each with those apps."""
    found: dict[str, list[AppName]] = {}
    for app in APPS:
        for name in (required_names(app) | optional_names(app)) - known:
            found.setdefault(name, []).append(app)
    return found


def _is_newer(values: Mapping[str, Any]) -> bool:
    return bool(values.get("deployment_version", 0) > DEPLOYMENT_VERSION)


def _warn_of(unknown: list[str]) -> None:
    for problem in unknown:
        _log.warning(
            "ignored, since the deployment is newer than this code (version %d): %s",
            DEPLOYMENT_VERSION,
            problem,
        )


def _suggestion(name: str, known: frozenset[str]) -> str:
    """Name the setting that was meant, and the app that has it where this one has not."""
    others = _of_others(known)
    if name in others:
        return f"; it is one of {' and '.join(others[name])}"
    from difflib import get_close_matches  # an app with the right settings never imports it

    for close in get_close_matches(name, [*known, *others], n=1):
        elsewhere = f", which is one of {' and '.join(others[close])}" if close in others else ""
        return f"; did you mean {close}{elsewhere}?"
    return ""

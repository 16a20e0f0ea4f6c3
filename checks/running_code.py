"""Whether code runs each app that `infra/access.json` declares, and nothing else is deployed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import yaml

from checks.declaration import Access

_SETTINGS = "shared/settings/settings.py"


def problems(access: Access, root: Path) -> Iterator[str]:
    """Name each app without a blueprint, settings or a service of azd, and each the other way.

    Read from the sources in `root`, not imported: it is about that folder, whichever runs this.
    """
    declared = {app["name"] for app in access["apps"]}
    settings = _with_settings((root / _SETTINGS).read_text(encoding="utf-8"))
    services = set(yaml.safe_load((root / "azure.yaml").read_text(encoding="utf-8"))["services"])
    for app in sorted(declared):
        module = root / "shared" / "apps" / f"{app}.py"
        if not _has_blueprint(module):
            yield (
                f"access.json: no code runs app {app}: "
                f"shared/apps/{app}.py has no function blueprint"
            )
        if app not in settings:
            yield f"access.json: app {app} has no settings: add it to APPS in {_SETTINGS}"
        if app not in services:
            yield f"access.json: app {app} is never deployed: add a service {app} to azure.yaml"
    for app in sorted((settings | services) - declared):
        yield f"app {app} has code or a service in azure.yaml, and access.json does not declare it"


def _has_blueprint(module: Path) -> bool:
    if not module.is_file():
        return False
    parsed = ast.parse(module.read_text(encoding="utf-8"))
    return any(isinstance(one, ast.FunctionDef) and one.name == "blueprint" for one in parsed.body)


def _with_settings(source: str) -> set[str]:
    """Return the keys of `APPS`."""
    for one in ast.parse(source).body:
        if (
            isinstance(one, ast.AnnAssign)
            and isinstance(one.target, ast.Name)
            and one.target.id == "APPS"
            and isinstance(one.value, ast.Dict)
        ):
            return {str(ast.literal_eval(key)) for key in one.value.keys if key}
    return set()

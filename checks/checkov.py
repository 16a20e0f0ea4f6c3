"""What checkov finds in every deployment: `python -m checks.checkov`.

Checkov's own reader of Bicep knows too little of the language, and of the compiled template it
sees nothing, because everything is in modules and loops. So it gets what the compiler evaluated:
the resources of the snapshots, as ARM templates. It runs offline.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from checks import snapshot, waivers
from checks.infra import INFRA
from checks.waivers import Finding, WaiverError

# An environment of its own: checkov pins a hundred packages.
PROGRAM = Path(__file__).resolve().parents[1] / ".venv-checkov" / "bin" / "checkov"
_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


class CheckovError(Exception):
    """Checkov did not read all that it was given, so that its silence proves nothing."""


def template(deployment: snapshot.Snapshot) -> dict[str, object]:
    """Return the ARM template of a deployment as it was evaluated."""
    resources = [
        {key: value for key, value in resource.items() if key not in ("id", "scope")}
        for resource in deployment["predictedResources"]
    ]
    return {"$schema": _SCHEMA, "contentVersion": "1.0.0.0", "resources": resources}


def findings(templates: Mapping[str, object], program: Path = PROGRAM) -> list[Finding]:
    """Run checkov over templates, by name of the deployment. Raises `CheckovError`."""
    if not program.exists():
        raise CheckovError("checkov is not installed: make check does that")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in templates.items():
            (Path(folder) / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        options = ("--framework=arm", "--skip-download", "--compact", "--output=json")
        files = [argument for name in templates for argument in ("-f", f"{name}.json")]
        done = subprocess.run(  # noqa: S603 - the environment's own program, no shell
            [program, *options, *files],
            cwd=folder,
            # Nothing of the user's: no configuration, no platform, no key.
            env={"HOME": folder, "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1", "LOG_LEVEL": "ERROR"},
            capture_output=True,
            text=True,
            check=False,
        )
    # 0: nothing found, 1: something found.
    if done.returncode not in (0, 1):
        raise CheckovError(f"checkov ended with {done.returncode}: {done.stderr[-500:]}")
    return read(done.stdout, templates)


def read(output: str, templates: Mapping[str, object]) -> list[Finding]:
    """Read checkov's answer; raise `CheckovError` unless it saw every resource."""
    try:
        answer: dict[str, Any] = json.loads(output)
        summary, results = answer["summary"], answer["results"]
        unread, seen = summary["parsing_errors"], summary["resource_count"]
        failed = [_finding(found) for found in results["failed_checks"]]
        passed = [_finding(found) for found in results["passed_checks"]]
    except (KeyError, TypeError, ValueError) as error:
        # Where it sees no resource, it reports nothing and exits with 0.
        raise CheckovError("checkov saw no resources at all") from error
    if unread:
        raise CheckovError(f"checkov could not read {unread} of the templates")
    given = sum(len(_resources(content)) for content in templates.values())
    if seen != given:
        raise CheckovError(f"checkov saw {seen} of {given} resources")
    if unseen := set(templates) - {found.deployment for found in (*failed, *passed)}:
        raise CheckovError(f"checkov reported nothing about {', '.join(sorted(unseen))}")
    return failed


def _finding(found: Mapping[str, Any]) -> Finding:
    deployment = Path(found["file_path"]).stem
    return Finding(found["check_id"], found["resource"], deployment, found["check_name"])


def _resources(content: object) -> Sequence[object]:
    resources = content.get("resources") if isinstance(content, dict) else None
    return resources if isinstance(resources, list) else ()


def main() -> int:
    """Judge every snapshot; 1 if there is a finding that is not accepted."""
    templates = {
        path.name.removesuffix(".snapshot.json"): template(snapshot.load(path))
        for path in sorted(INFRA.glob("*.snapshot.json"))
    }
    found: list[Finding] = []
    try:
        found = findings(templates)
        problems = waivers.compare(found, waivers.load("checkov"))
    except (CheckovError, WaiverError) as error:
        problems = [f"{error}"]
    count = sum(len(_resources(content)) for content in templates.values())
    seen = f"{count} resources of {len(templates)} deployments"
    return waivers.report("checkov", problems, f"{seen}, {len(found)} accepted")


if __name__ == "__main__":
    sys.exit(main())

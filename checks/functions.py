"""What azure-functions-doctor finds in the package and its deployments.

`python -m checks.functions`: the app as it would be packaged, beside what the compiler evaluated
for it, so that the settings that triggers name and the plan are held against the deployment.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from azure_functions_doctor.api import run_diagnostics

from checks import package, snapshot, waivers
from checks.checkov import template
from checks.infra import INFRA
from checks.waivers import Finding, WaiverError

_SEEN = "check_flex_runtime_config"
"""A check that passes only where the doctor has seen the deployment's function apps."""


class DoctorError(Exception):
    """The doctor did not look at what it was shown."""


def findings(root: Path, deployment: snapshot.Snapshot, name: str) -> list[Finding]:
    """Examine the package of `root` as one deployment runs it. Raises `DoctorError`."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        package.copy(folder, root)
        shutil.copyfile(root / ".funcignore", folder / ".funcignore")
        (folder / "infra").mkdir(exist_ok=True)
        (folder / "infra" / "main.json").write_text(json.dumps(template(deployment)))
        sections = run_diagnostics(temporary, profile="deploy", target_python=_python(deployment))
    items = [item for section in sections for item in section["items"]]
    if not any(item["rule_id"] == _SEEN and item["status"] == "pass" for item in items):
        raise DoctorError(f"{name}: the doctor did not see the function apps of the deployment")
    return [
        Finding(item["rule_id"], "package", name, " ".join(item.get("value", "").split()))
        for item in items
        if item["status"] not in ("pass", "skip")
    ]


def _python(deployment: snapshot.Snapshot) -> str:
    """Return the version of Python that all apps of a deployment run on. Raises `DoctorError`."""
    versions = {
        str(site["properties"]["functionAppConfig"]["runtime"]["version"])
        for site in snapshot.of_type(deployment, "Microsoft.Web/sites")
    }
    if len(versions) != 1:
        raise DoctorError(f"the apps run on {sorted(versions)}: one package wants one Python")
    return versions.pop()


def main() -> int:
    """Examine the package in every deployment; 1 if there is a finding that is not accepted."""
    found: list[Finding] = []
    paths = sorted(INFRA.glob("*.snapshot.json"))
    try:
        for path in paths:
            name = path.name.removesuffix(".snapshot.json")
            found += findings(package.ROOT, snapshot.load(path), name)
        problems = waivers.compare(found, waivers.load("functions"))
    except (DoctorError, WaiverError) as error:
        problems = [f"{error}"]
    seen = f"{len(paths)} deployments of the package"
    return waivers.report("functions", problems, f"{seen}, {len(found)} accepted")


if __name__ == "__main__":
    sys.exit(main())

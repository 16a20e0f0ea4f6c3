"""Bicep sources, compiled and evaluated by the Bicep CLI where it is on the PATH.

The sources' folder is not written to, and the CLI runs no deployment: it evaluates offline.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
TENANT = "00000000-0000-4000-8000-000000000002"
"""Fixed and made up, so that a snapshot is the same wherever it is made."""

SUFFIXES = (".bicepparam", ".bicep")
_SECONDS = 120.0
_GROUP = "local"
_LOCATION = "westeurope"


class CompilationError(Exception):
    """Bicep is not on the PATH, or refuses the sources; the message has what it says."""


@dataclass(frozen=True)
class CompiledDeployment:
    """A snapshot, and the values of the secure parameters, which no snapshot has."""

    snapshot: bytes
    secure_parameters: Mapping[str, object] = field(repr=False)


def compiled(source: Path) -> CompiledDeployment:
    """Compile and evaluate a `.bicepparam`, or a `.bicep` whose parameters all have defaults.

    Raises `CompilationError`.
    """
    bicep = shutil.which("bicep")
    if bicep is None:
        raise CompilationError(
            f"{source} needs the Bicep CLI on the PATH to be compiled. Without it, give the "
            "snapshot that `bicep snapshot` writes where it is installed: --snapshot FILE"
        )
    template, parameters = _built(bicep, source)
    # Secure values are in this folder alone, which only this user can enter, until it is removed.
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "main.json").write_text(json.dumps(template), encoding="utf-8")
        file = folder / "main.bicepparam"
        plain = {n: v for n, v in parameters.items() if not _is_secure(template, n)}
        secure = {n: v for n, v in parameters.items() if _is_secure(template, n)}
        # The snapshot has the name of a secure parameter, whatever its value is.
        file.write_text(_parameter_file({**plain, **_hidden(secure)}), encoding="utf-8")
        where = [f"--subscription-id={SUBSCRIPTION}", f"--tenant-id={TENANT}"]
        if "/deploymentTemplate.json" in str(template.get("$schema")):
            where.append(f"--resource-group={_GROUP}")
        else:
            where.append(f"--location={_LOCATION}")
        _run(bicep, folder, "snapshot", file.name, "--mode=overwrite", *where)
        return CompiledDeployment((folder / "main.snapshot.json").read_bytes(), secure)


def _built(bicep: str, source: Path) -> tuple[dict[str, Any], dict[str, object]]:
    """Return the template, and the values of the parameters."""
    if source.suffix == ".bicep":
        return json.loads(_run(bicep, source.parent, "build", source.name, "--stdout")), {}
    built = json.loads(_run(bicep, source.parent, "build-params", source.name, "--stdout"))
    if not built.get("templateJson"):
        raise CompilationError(f"{source} uses no .bicep file of this machine")
    given = json.loads(built["parametersJson"]).get("parameters", {})
    if references := [name for name, one in given.items() if "value" not in one]:
        raise CompilationError(
            f"{source}: parameter {references[0]} refers to a secret of a vault in Azure, which "
            "the local cloud cannot read: give a value, perhaps by readEnvironmentVariable"
        )
    return json.loads(built["templateJson"]), {name: one["value"] for name, one in given.items()}


def _is_secure(template: Mapping[str, Any], name: str) -> bool:
    declared = template.get("parameters", {}).get(name, {})
    definition = template.get("definitions", {}).get(
        str(declared.get("$ref", "")).rpartition("/")[2], {}
    )
    kind = str(declared.get("type") or definition.get("type"))
    return kind.lower() in ("securestring", "secureobject")


def _hidden(secure: Mapping[str, object]) -> Mapping[str, object]:
    """Return values of the same types that say nothing."""
    return {name: {} if isinstance(value, dict) else "" for name, value in secure.items()}


def _parameter_file(parameters: Mapping[str, object]) -> str:
    lines = ["using 'main.json'\n"]
    for name, value in parameters.items():
        text = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
        lines.append(f"param {name} = json('{text}')\n")
    return "\n".join(lines)


def _run(bicep: str, folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own compiler, no shell
            [bicep, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise CompilationError(f"bicep {arguments[0]} did not end in {_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise CompilationError(
            f"bicep {arguments[0]} fails with code {done.returncode}:\n{done.stderr.strip()}"
        )
    return done.stdout

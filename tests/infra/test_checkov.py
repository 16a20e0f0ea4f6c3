"""Checkov sees what is deployed: planted weaknesses are found, and what it cannot read fails."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from checks import checkov, snapshot
from checks.checkov import PROGRAM, CheckovError, findings, read, template
from checks.waivers import Finding

INFRA = Path(__file__).resolve().parents[2] / "infra"
DEPLOYMENT = snapshot.load(INFRA / "local.snapshot.json")
Properties = dict[str, Any]


def _plain_storage(properties: Properties) -> None:
    properties["supportsHttpsTrafficOnly"] = False


def _public_container(properties: Properties) -> None:
    properties["publicAccess"] = "Blob"


def _no_purge_protection(properties: Properties) -> None:
    del properties["enablePurgeProtection"]


def _no_soft_delete(properties: Properties) -> None:
    properties["enableSoftDelete"] = False


def _plain_http(properties: Properties) -> None:
    properties["httpsOnly"] = False


def _old_tls(properties: Properties) -> None:
    properties["siteConfig"]["minTlsVersion"] = "1.0"


def _everything_allowed(properties: Properties) -> None:
    properties["permissions"] = [{"actions": ["*"]}]


PLANTED: Mapping[str, tuple[str, str, Callable[[Properties], None]]] = {
    "storage by plain HTTP": ("storageAccounts", "CKV_AZURE_3", _plain_storage),
    "a public container": ("blobServices/containers", "CKV_AZURE_34", _public_container),
    "no purge protection": ("KeyVault/vaults", "CKV_AZURE_110", _no_purge_protection),
    "no soft delete": ("KeyVault/vaults", "CKV_AZURE_111", _no_soft_delete),
    "plain HTTP": ("Web/sites", "CKV_AZURE_14", _plain_http),
    "an old TLS": ("Web/sites", "CKV_AZURE_15", _old_tls),
    "a role for everything": ("roleDefinitions", "CKV_AZURE_39", _everything_allowed),
}


def planted(kind: str, spoil: Callable[[Properties], None]) -> tuple[str, dict[str, object]]:
    """Spoil the first resource of a kind; return its name and the template."""
    spoiled = copy.deepcopy(DEPLOYMENT)
    found = next(r for r in spoiled["predictedResources"] if r["type"].endswith(kind))
    spoil(found["properties"])
    return f"{found['type']}.{found['name']}", template(spoiled)


@pytest.mark.skipif(not PROGRAM.exists(), reason="checkov is installed by make check and make test")
@pytest.mark.long
def test_each_planted_weakness_is_found_and_nothing_else_is_new() -> None:
    templates: dict[str, object] = {"sound": template(DEPLOYMENT)}
    wanted = set()
    for name, (kind, check, spoil) in PLANTED.items():
        where, templates[name.replace(" ", "-")] = planted(kind, spoil)
        wanted.add((name.replace(" ", "-"), check, where))
    found = findings(templates)
    usual = {(f.check, f.where) for f in found if f.deployment == "sound"}
    new = {(f.deployment, f.check, f.where) for f in found if (f.check, f.where) not in usual}
    assert new >= wanted
    assert {name for name, _, _ in new} == {name for name, _, _ in wanted}


@pytest.mark.long
@pytest.mark.skipif(not PROGRAM.exists(), reason="checkov is installed by make check and make test")
def test_each_template_that_checkov_does_not_read_fails() -> None:
    unread = {"empty": {"resources": []}, "number": {"resources": 7}, "nothing": {}}
    with pytest.raises(CheckovError, match="reported nothing about empty, nothing, number"):
        findings({"sound": template(DEPLOYMENT), **unread})
    with pytest.raises(CheckovError, match=r"saw|reported nothing about spoiled|could not read"):
        findings({"sound": template(DEPLOYMENT), "spoiled": "{"})


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "no resources at all"),
        # What it prints where it sees nothing, with exit code 0.
        ('{"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0}', "no resources at all"),
        ("[]", "no resources at all"),
    ],
)
def test_an_answer_that_says_nothing_is_no_success(output: str, said: str) -> None:
    with pytest.raises(CheckovError, match=said):
        read(output, {"sound": template(DEPLOYMENT)})


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ({"parsing_errors": 1, "resource_count": 2}, "could not read 1"),
        ({"parsing_errors": 0, "resource_count": 1}, "saw 1 of 2"),
        ({"parsing_errors": 0, "resource_count": 0}, "saw 0 of 2"),
        ({"parsing_errors": 0, "resource_count": 2}, "nothing about two"),
    ],
)
def test_all_must_have_been_seen(summary: dict[str, int], said: str) -> None:
    output = json.dumps({"summary": summary, "results": {"failed_checks": [], "passed_checks": []}})
    with pytest.raises(CheckovError, match=said):
        read(output, {"two": {"resources": [{}, {}]}})


def test_a_missing_checkov_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CheckovError, match="make check"):
        findings({}, tmp_path / "checkov")


def test_an_unaccepted_finding_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Finding("CKV_NEW", "a vault", "local", "something new")
    monkeypatch.setattr(checkov, "findings", lambda _: [found])
    monkeypatch.setattr("checks.waivers.load", lambda _: [])
    assert checkov.main() == 1
    assert "local: a vault: CKV_NEW: something new" in capsys.readouterr().err

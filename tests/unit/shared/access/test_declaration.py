from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.access.declaration import (
    FILE,
    OPERATIONS,
    Declaration,
    Grant,
    NotDeclaredError,
    Outcome,
    Verdict,
    verdict,
)


def test_the_declaration_is_read_as_single_grants() -> None:
    declaration = Declaration.load()
    assert Grant("encrypt", "key", "payload", "encrypt") in declaration.grants
    assert Grant("encrypt", "key", "payload", "decrypt") not in declaration.grants
    assert Grant("encrypt", "key", "payload", "get") not in declaration.grants
    assert Grant("partner", "secret", "partner-connection", "get") in declaration.grants
    assert Grant("operator", "queue", "rejected", "receive") in declaration.grants
    assert Grant("database", "app", "tracker", "token") in declaration.grants
    assert Grant("decrypt", "app", "sender", "token") not in declaration.grants
    assert Grant("sender (system)", "app", "sender", "token") in declaration.grants
    access = json.loads(FILE.read_text())
    assert declaration.operators == tuple(one["name"] for one in access["operators"])
    assert declaration.packages == {app["package"] for app in access["apps"]}
    assert set(map(str, declaration.unprobed)) == {
        "secrets_officer: set secret partner-connection",
        "partner_officer: set secret partner-state",
        "key_officer: rotate key payload",
        "key_officer: update key payload",
    }
    assert "sender (system)" in declaration.identities


def test_all_that_can_be_tried_is_every_operation_on_every_object() -> None:
    declaration = Declaration.load()
    access = json.loads(FILE.read_text())
    tried = list(declaration.on_objects("decrypt"))
    assert len(tried) == len(set(tried))
    assert len(tried) == 3 * len(access["keys"]) + 2 * len(access["secrets"]) + 2 * len(
        access["queues"]
    )
    assert {grant.operation for grant in declaration.grants} <= {
        operation for operations in OPERATIONS.values() for operation in operations
    }


@pytest.mark.parametrize(
    ("outcome", "declared", "expected"),
    [
        ("allowed", True, "as declared"),
        ("refused", False, "as declared"),
        ("allowed", False, "wider"),
        ("refused", True, "narrower"),
        ("could not tell", True, "could not tell"),
        ("could not tell", False, "could not tell"),
    ],
)
def test_what_happened_against_what_is_declared(
    outcome: Outcome, expected: Verdict, *, declared: bool
) -> None:
    assert verdict(outcome, declared=declared) == expected


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"apps": [1]}', '{"identities": {"a": 1}}'])
def test_what_is_no_declaration_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "access.json"
    path.write_text(text)
    with pytest.raises(NotDeclaredError, match=r"access\.json"):
        Declaration.load(path)


def test_no_declaration_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotDeclaredError):
        Declaration.load(tmp_path / "access.json")


def test_what_operators_may_do_with_a_secret_is_read_as_far_as_it_can_be_tried(
    tmp_path: Path,
) -> None:
    access = json.loads(FILE.read_text())
    one = {"operator": "operator", "vault": "partner", "secret": "partner-connection"}
    access["operatorSecretGrants"] = [one | {"operations": ["setSecret", "readMetadata"]}]
    path = tmp_path / "access.json"
    path.write_text(json.dumps(access))
    grants = Declaration.load(path).grants
    found = {g.operation for g in grants if (g.identity, g.kind) == ("operator", "secret")}
    assert found == {"list"}


def test_the_digest_tells_what_is_said_not_how_it_is_written(tmp_path: Path) -> None:
    access = json.loads(FILE.read_text())
    same, other = tmp_path / "same.json", tmp_path / "other.json"
    same.write_text(json.dumps(access, indent=7))
    access["keyGrants"][0]["operations"] = ["decrypt"]
    other.write_text(json.dumps(access))
    assert Declaration.load(same).digest == Declaration.load().digest
    assert Declaration.load(other).digest != Declaration.load().digest

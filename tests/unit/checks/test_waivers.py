from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.waivers import Finding, Waiver, WaiverError, compare, load

FOUND = Finding("C1", "vault.a", "local", "text")


def test_what_is_listed_is_accepted_and_what_is_not_is_told() -> None:
    other = Finding("C2", "vault.a", "local", "text")
    assert compare([FOUND, other], [Waiver("C1", "vault.*", ("local",), "why")]) == [
        "local: vault.a: C2: text"
    ]


@pytest.mark.parametrize(
    "entry",
    [
        Waiver("C2", "vault.*", ("*",), "why"),
        Waiver("C1", "site.*", ("*",), "why"),
        Waiver("C1", "vault.*", ("private*",), "why"),
    ],
)
def test_what_is_listed_and_not_found_fails(entry: Waiver) -> None:
    (open_, stale) = compare([FOUND], [entry])
    assert open_ == str(FOUND)
    assert "is not found any more" in stale


@pytest.mark.parametrize(
    "entry",
    [
        {"check": "C1", "where": "*"},
        {"check": "C1", "where": "*", "reason": ""},
        {"check": "C1", "where": "*", "reason": "why", "also": "x"},
        {"check": "C1", "where": "*", "reason": "why", "deployments": []},
    ],
)
def test_an_entry_needs_a_reason(tmp_path: Path, entry: dict[str, object]) -> None:
    file = tmp_path / "waivers.json"
    file.write_text(json.dumps({"checkov": [entry]}))
    with pytest.raises(WaiverError, match="reason"):
        load("checkov", file)


def test_the_list_itself_is_well_formed() -> None:
    assert load("checkov")
    assert load("functions")

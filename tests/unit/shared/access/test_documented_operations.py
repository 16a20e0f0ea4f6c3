"""The documents say which operations the access audit tries, and that these are all."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.access.declaration import OPERATIONS

ROOT = Path(__file__).resolve().parents[4]
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TRIED = {kind: operations for kind, operations in OPERATIONS.items() if kind != "app"}
COUNT = NUMBERS[sum(map(len, TRIED.values()))]


def sentence(document: str, start: str) -> str:
    text = " ".join((ROOT / document).read_text().split())
    return text[text.index(start) :].partition(". ")[0].replace("`", "")


@pytest.mark.parametrize(
    ("document", "start"),
    [
        ("README.md", "Then every app tries"),
        ("docs/operating.md", "asks every app to try"),
        ("docs/threat-model.md", "It tries"),
        ("docs/threat-model.md", "as far as its"),
        ("CHANGELOG.md", "lets every app try"),
    ],
)
def test_each_document_counts_those_that_are_tried(document: str, start: str) -> None:
    assert f"{COUNT} operations" in sentence(document, start)


@pytest.mark.parametrize(
    ("document", "start"),
    [("docs/operating.md", "asks every app to try"), ("docs/threat-model.md", "It tries")],
)
def test_the_documents_name_each_operation_that_is_tried(document: str, start: str) -> None:
    said = sentence(document, start)
    for kind, operations in TRIED.items():
        assert kind in said
        assert all(operation in said for operation in operations)


def test_what_is_not_tried_is_named_as_that() -> None:
    said = sentence("docs/operating.md", "Other operations, such as")
    assert "are not tried" in said
    named = set(said.replace(",", "").split())
    assert {"wrapKey", "sign", "backup", "delete"} <= named
    assert not named & {operation for operations in TRIED.values() for operation in operations}

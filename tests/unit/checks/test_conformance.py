"""The tables of what the local cloud has of Azure, made from tests and declarations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.conformance import ConformanceError, table

_TEST = """
import pytest
@pytest.mark.conformance("Queues", "send")
def test_sends(): ...
@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.conformance("Queues", "peek"))])
async def test_peeks(n): ...
@pytest.mark.conformance("Queues", "send", ".NET")
def test_sends_from_net(): ...
"""
_ENTRY = {
    "area": "Queues",
    "operation": "lock for a day",
    "outcome": "refused",
    "how": "400",
    "reason": "Azure does so, too",
}


def _folder(tmp_path: Path, *entries: object) -> Path:
    folder = tmp_path / "conformance"
    (folder / "declared").mkdir(parents=True)
    (folder / "test_queues.py").write_text(_TEST)
    (folder / "queues.test.mjs").write_text(
        '// conformance: Queues | send\ntest("sends a message", async () => {});\n'
    )
    (folder / "declared" / "queues.json").write_text(json.dumps(entries))
    return folder


def test_an_operation_names_its_tests_and_its_clients(tmp_path: Path) -> None:
    tests = (
        "`test_queues.py::test_sends_from_net`, `queues.test.mjs: sends a message`, "
        "`test_queues.py::test_sends`"
    )
    assert table(_folder(tmp_path, _ENTRY)) == "\n".join(
        [
            "### Queues",
            "",
            "| operation | here | test, or reason |",
            "|---|---|---|",
            "| lock for a day | refused: 400 | Azure does so, too |",
            "| peek | supported (Python) | `test_queues.py::test_peeks` |",
            f"| send | supported (.NET, JavaScript, Python) | {tests} |",
        ]
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"outcome": "ignored"}, "the outcome must be refused or different"),
        ({"how": ""}, "must be an object of texts, none of them empty"),
        ({"more": "x"}, "must have area, operation, outcome, how, and either test or reason"),
        ({"test": "conformance/test_queues.py::test_sends"}, "and either test or reason"),
        ({"operation": "send"}, "is declared as refused, and a test says that it is supported"),
    ],
)
def test_a_wrong_declaration_is_named(
    tmp_path: Path, change: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConformanceError, match=complaint):
        table(_folder(tmp_path, _ENTRY | change))


def test_a_declaration_may_name_a_test_that_exists(tmp_path: Path) -> None:
    entry = {name: value for name, value in _ENTRY.items() if name != "reason"}
    test = "conformance/test_queues.py::test_sends"
    assert f"| refused: 400 | `{test}` |" in table(_folder(tmp_path, entry | {"test": test}))


def test_a_declaration_of_a_test_that_does_not_exist_is_named(tmp_path: Path) -> None:
    entry = {name: value for name, value in _ENTRY.items() if name != "reason"}
    with pytest.raises(ConformanceError, match=r"there is no test conformance/test_queues.py::no"):
        table(_folder(tmp_path, entry | {"test": "conformance/test_queues.py::no"}))


def test_an_operation_is_declared_once(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match=r"queues.json, entry 2: is declared twice"):
        table(_folder(tmp_path, _ENTRY, _ENTRY))


def test_a_marker_of_computed_texts_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "test_queues.py").write_text(
        "@pytest.mark.conformance(AREA, 'send')\ndef test_sends(): ...\n"
    )
    with pytest.raises(ConformanceError, match="each a literal text"):
        table(folder)


def test_a_test_in_javascript_proves_each_operation_above_it(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "queues.test.mjs").write_text(
        '// conformance: Queues | purge\n// conformance: Queues | drain\ntest("all", () => {});\n'
    )
    for operation in ("purge", "drain"):
        assert f"| {operation} | supported (JavaScript) | `queues.test.mjs: all` |" in table(folder)


@pytest.mark.parametrize("comment", ["conformance: Queues | purge\n", "conformance: Queues"])
def test_a_comment_in_javascript_without_a_test_is_refused(tmp_path: Path, comment: str) -> None:
    folder = _folder(tmp_path)
    (folder / "queues.test.mjs").write_text(f'// {comment}\ntest("all", () => {{}});\n')
    with pytest.raises(ConformanceError, match=r"queues.test.mjs: each comment"):
        table(folder)

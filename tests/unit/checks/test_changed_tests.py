from __future__ import annotations

from pathlib import Path

import pytest

from checks.changed_tests import changed_files, imported, selected

ROOT = Path(__file__).parents[3]
IMPORTS = {
    "shared/a.py": frozenset[str](),
    "shared/b.py": frozenset({"shared/a.py"}),
    "tests/unit/test_a.py": frozenset({"shared/a.py"}),
    "tests/unit/test_b.py": frozenset({"shared/b.py"}),
    "tests/unit/doubles.py": frozenset({"shared/b.py"}),
    "tests/pipeline/test_c.py": frozenset({"shared/a.py"}),
}


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ([], []),
        (["shared/a.py"], ["tests/unit/test_a.py", "tests/unit/test_b.py"]),
        (["shared/b.py"], ["tests/unit/test_b.py"]),
        (["tests/unit/test_a.py"], ["tests/unit/test_a.py"]),
        (["docs/x.md"], []),
        (["infra/access.json"], ["tests/unit"]),
        (["pyproject.toml"], ["tests/unit"]),
        (["Makefile"], ["tests/unit"]),
    ],
)
def test_the_tests_of_what_imports_the_change_are_run(changed: list[str], tests: list[str]) -> None:
    assert selected(changed, IMPORTS) == tests


def test_the_imports_of_the_project_are_read() -> None:
    imports = imported(ROOT)
    assert "shared/message/state.py" in imports["shared/message/receipt.py"]
    receipt = selected(["shared/message/receipt.py"], imports)
    assert "tests/unit/shared/message/test_receipt.py" in receipt
    assert "tests/unit/shared/ledger/test_sqlstate.py" not in receipt


def test_a_folder_without_git_has_no_answer(tmp_path: Path) -> None:
    assert changed_files(tmp_path) is None

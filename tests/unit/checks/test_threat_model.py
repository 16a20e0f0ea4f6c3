from __future__ import annotations

from pathlib import Path

import pytest

from checks.threat_model import unshown

TESTS = """
import pytest

def test_runs(): ...
async def test_waits(): ...
@pytest.mark.parametrize("x", [1])
@pytest.mark.skipif(x, reason="only somewhere")
def test_on_some_machines(x):
    if x:
        pytest.skip("not here")
@pytest.mark.skip
def test_skipped(): ...
@pytest.mark.skip(reason="later")
def test_skipped_with_a_reason(): ...
@pytest.mark.xfail(strict=True)
def test_expected_to_fail(): ...
def test_skips_itself():
    pytest.skip("always")
def test_twice(): ...
@pytest.mark.skip
def test_twice(): ...
test_no_function = 7
def helper():
    def test_inside(): ...
class TestGroup:
    def test_method(self): ...
    @pytest.mark.skip
    def test_skipped(self): ...
@pytest.mark.skip
class TestNever:
    def test_method(self): ...
"""
HEAD = "# Title\n\n| claim | shown by |\n|---|---|\n"
GOOD = "`tests/a/test_x.py::test_runs`"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "tests" / "a"
    folder.mkdir(parents=True)
    (folder / "test_x.py").write_text(TESTS)
    (folder / "other.py").write_text("def test_runs(): ...\n")
    (folder / "test_off.py").write_text(
        "import pytest\npytestmark = [pytest.mark.skip]\ndef test_runs(): ...\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    "named",
    [
        GOOD,
        "`tests/a/test_x.py::test_waits`",
        "`tests/a/test_x.py::test_on_some_machines`",
        "`tests/a/test_x.py::TestGroup::test_method`",
        f"{GOOD}, `tests/a/test_x.py::test_waits`",
    ],
)
def test_a_claim_that_a_test_shows_is_well(root: Path, named: str) -> None:
    assert list(unshown(root, f"{HEAD}| nobody can | {named} |\n")) == []


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "no test shows it"),
        ("tests/a/test_x.py::test_runs", "no test shows it"),
        ("`test_runs`", "not the name of a test"),
        ("`tests/a/test_x.py`", "not the name of a test"),
        ("`tests/../a/test_x.py::test_runs`", "not the name of a test"),
        ("`tests/a/other.py::test_runs`", "not the name of a test"),
        ("`tests/a/test_x.py::helper`", "not the name of a test"),
        ("`tests/a/test_y.py::test_runs`", "no such file"),
        ("`tests/a/test_x.py::test_gone`", "no such test"),
        ("`tests/a/test_x.py::test_inside`", "no such test"),
        ("`tests/a/test_x.py::test_method`", "no such test"),
        ("`tests/a/test_x.py::TestGroup::test_gone`", "no such test"),
        ("`tests/a/test_x.py::test_no_function`", "that is not a test"),
        ("`tests/a/test_x.py::test_skipped`", "never runs"),
        ("`tests/a/test_x.py::test_skipped_with_a_reason`", "never runs"),
        ("`tests/a/test_x.py::test_expected_to_fail`", "may fail"),
        ("`tests/a/test_x.py::test_skips_itself`", "never runs"),
        ("`tests/a/test_x.py::test_twice`", "never runs"),
        ("`tests/a/test_x.py::TestGroup::test_skipped`", "never runs"),
        ("`tests/a/test_x.py::TestNever::test_method`", "never runs"),
        ("`tests/a/test_off.py::test_runs`", "its module never runs"),
        (f"{GOOD}, `tests/a/test_x.py::test_gone`", "no such test"),
        (f"{GOOD} | more", "3 cells"),
    ],
)
def test_a_claim_that_no_test_shows_is_named_with_its_line(
    root: Path, cell: str, said: str
) -> None:
    text = f"{HEAD}| one | {GOOD} |\n| nobody can | {cell} |\n"
    (wrong,) = unshown(root, text)
    assert wrong.startswith("line 6: ")
    assert said in wrong


def test_every_table_is_looked_at(root: Path) -> None:
    other = "| thing | where |\n|---|---|\n| a | b |\n"
    text = (
        f"{HEAD}| one | {GOOD} |\n\n{other}\n| x | claim | Shown by |\n|---|---|---|\n| 1 | 2 | |"
    )
    assert list(unshown(root, text)) == [
        "line 7: the last column is not 'shown by'",
        "line 13: no test shows it",
    ]


def test_a_threat_model_without_tables_shows_nothing(root: Path) -> None:
    assert list(unshown(root, f"# Title\n\n{GOOD}\n")) == ["there is no table"]

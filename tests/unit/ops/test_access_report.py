"""The access audit on a terminal: a list where it is narrow, a table where it is wide."""

from __future__ import annotations

import re

import pytest

from ops.access_comparison import ProbeResult, Proof
from ops.access_report import show
from shared.access.declaration import Declaration

DECLARED = Declaration.load()


def shown(
    proof: Proof, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")  # a dumb one is always 80 columns wide
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show(proof, None)
    return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()


def as_declared() -> Proof:
    operators = [
        ProbeResult(grant, name, "allowed" if grant in DECLARED.grants else "refused", "")
        for name in DECLARED.operators
        for grant in DECLARED.on_objects(name)
    ]
    return Proof(DECLARED, [], {}, operators)


@pytest.mark.parametrize(("columns", "heading"), [(80, False), (120, False), (130, True)])
def test_the_wide_table_is_for_wide_terminals(
    columns: int,
    heading: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = shown(as_declared(), columns, capsys, monkeypatch)
    table = lines[: next(n for n, line in enumerate(lines) if line.startswith("+: WIDER"))]
    assert max(map(len, table)) <= columns
    assert any("allowed" in line and "refused" in line for line in table) == heading
    (retry_officer,) = (n for n, line in enumerate(table) if "retry_officer" in line)
    assert "send to retries" in table[retry_officer]
    assert "receive from retries" in table[retry_officer + 1]


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (("refused", "refused"), "sender, tracker did not answer: refused; so "),
        (("a", "b"), "sender, tracker did not answer: sender: a; tracker: b; so "),
    ],
)
def test_two_apps_that_are_down_are_one_line(
    reasons: tuple[str, str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = dict(zip(("sender", "tracker"), reasons, strict=True))
    lines = shown(Proof(DECLARED, [], silent), 80, capsys, monkeypatch)
    (line,) = (line for line in lines if "did not answer" in line)
    assert line.startswith(said)
    assert line.endswith(" tries were not made")
    assert "? nothing could be tried" in "\n".join(lines)

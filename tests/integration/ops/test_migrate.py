"""`python -m ops migrate`: where the URL may come from, and that it is never told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def migrate(
    *arguments: str, url: str | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {"RELAY_DATABASE_URL": url} if url else {}
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
    return subprocess.run(
        [sys.executable, "-m", "ops", "migrate", *arguments],
        cwd=ROOT,
        env={**kept, **environment},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_url_comes_from_the_environment_or_standard_input(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'planted'}"
    first = migrate(given=f"{url}\n")
    assert (first.returncode, first.stdout) == (0, "the ledger went from nothing to version 0003\n")
    again = migrate("--json", url=url)
    assert json.loads(again.stdout) == {"from": "0003", "to": "0003"}
    assert "planted" not in first.stdout + first.stderr + again.stdout + again.stderr


def test_white_space_around_the_url_names_no_other_database(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ledger'}"
    for given in (f"{url}\n", f"\n  {url} \r\n", url):
        assert migrate(given=given).returncode == 0
        assert migrate(url=given).returncode == 0
    assert {file.name.partition("-")[0] for file in tmp_path.iterdir()} == {"ledger"}


def test_two_lines_are_not_a_url(tmp_path: Path) -> None:
    ended = migrate(given=f"sqlite+aiosqlite:///{tmp_path / 'one'}\nplanted")
    assert ended.returncode == 1
    assert "control character" in ended.stderr
    assert "planted" not in ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://relay:planted@localhost/x", "it is not a URL of sqlite+aiosqlite or"),
        ("postgresql+asyncpg://relay:planted@127.0.0.1:9/x?ssl=disable", "did not do it"),
    ],
)
def test_what_fails_is_told_without_the_url(url: str, said: str) -> None:
    ended = migrate(url=url)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "planted" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_without_a_url_nothing_is_done() -> None:
    ended = migrate()
    assert ended.returncode == 2
    assert "RELAY_DATABASE_URL" in ended.stderr


def test_a_url_is_not_taken_as_an_argument(tmp_path: Path) -> None:
    assert migrate(f"sqlite+aiosqlite:///{tmp_path / 'file'}").returncode == 2

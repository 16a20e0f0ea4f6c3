"""What docs/extending.md says to add is accepted, and what is left out or left to do is named."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from checks.access import AccessError, load
from checks.declaration import Access
from checks.running_code import problems
from tests.infra.walkthrough import CHAPTERS, ROOT, Addition, declaration, extend

WITH_JSON = {
    name: [one for one in additions if one.language == "json"]
    for name, additions in CHAPTERS.items()
    if any(one.language == "json" for one in additions)
}


def written(folder: Path, access: dict[str, Any]) -> Path:
    shutil.copyfile(ROOT / "infra" / "access.schema.json", folder / "access.schema.json")
    (folder / "access.json").write_text(json.dumps(access, indent=2))
    return folder / "access.json"


def test_there_is_a_chapter_for_each_thing_that_is_added() -> None:
    assert list(CHAPTERS) == [
        f"Another {what}" for what in ("identity", "queue", "key", "function", "app", "partner")
    ]


@pytest.mark.parametrize("chapter", WITH_JSON)
def test_what_a_chapter_adds_contradicts_nothing(chapter: str, tmp_path: Path) -> None:
    load(written(tmp_path, declaration(WITH_JSON[chapter])))


@pytest.mark.parametrize("chapter", WITH_JSON)
def test_each_part_that_a_chapter_leaves_out_is_named(chapter: str, tmp_path: Path) -> None:
    """All but a right, which nobody has to use, or a queue that only its right names."""
    additions = WITH_JSON[chapter]
    accepted = set()
    for left_out in additions:
        with contextlib.suppress(AccessError, IndexError, TypeError, KeyError):
            some = [one for one in additions if one is not left_out]
            load(written(tmp_path, declaration(some)))
            accepted.add(left_out.where)
    assert accepted <= {"queueGrants", "queues", "keyGrants", "telemetryGrants"}


def code_of(folder: Path) -> Path:
    """Copy what `make check` looks for the code of an app in."""
    for part in ("shared", "docs", "infra"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copyfile(ROOT / "azure.yaml", folder / "azure.yaml")
    return folder


def named(additions: Sequence[Addition], left_out: Sequence[Addition], folder: Path) -> str:
    root = code_of(folder)
    extend(root, [one for one in additions if one not in left_out])
    return str(list(problems(cast("Access", declaration(additions)), root)))


def test_the_code_of_another_app_is_asked_for(tmp_path: Path) -> None:
    additions = CHAPTERS["Another app"]
    assert named(additions, [], tmp_path / "all") == "[]"
    code = [one for one in additions if one.language != "json"]
    for number, (where, asked) in enumerate(
        [
            ("shared/apps/auditor.py", "no code runs app auditor"),
            ("shared/settings/settings.py", "app auditor has no settings"),
            ("azure.yaml", "app auditor is never deployed"),
        ]
    ):
        left_out = [one for one in code if one.where == where]
        assert left_out
        assert asked in named(additions, left_out, tmp_path / f"{number}")

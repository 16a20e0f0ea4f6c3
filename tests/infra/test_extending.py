"""What docs/extending.md says to add is accepted, and what is left out or left to do is named."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from checks.access import AccessError, load
from checks.declaration import Access
from checks.running_code import problems

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "extending.md").read_text()
_ADDITION = re.compile(r"In `([\w.]+)`:\n\n```json\n(.*?)\n```", re.DOTALL)
CHAPTERS: Mapping[str, Sequence[tuple[str, str]]] = {
    chapter.partition("\n")[0]: _ADDITION.findall(chapter)
    for chapter in DOCUMENT.split("\n## ")[1:]
}
WITH_JSON = [name for name, additions in CHAPTERS.items() if additions]


def extend(access: dict[str, Any], additions: Sequence[tuple[str, str]]) -> None:
    """Put what a chapter says into a declaration."""
    for where, text in additions:
        part: Any = access
        for step in where.split("."):
            found = [one for one in part if one["name"] == step] if isinstance(part, list) else []
            part = found[0] if found else part[step]
        part.append(json.loads(text))


def written(folder: Path, access: dict[str, Any]) -> Path:
    shutil.copyfile(ROOT / "infra" / "access.schema.json", folder / "access.schema.json")
    (folder / "access.json").write_text(json.dumps(access, indent=2))
    return folder / "access.json"


def declared() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "infra" / "access.json").read_text())
    return found


def test_there_is_a_chapter_for_each_thing_that_is_added() -> None:
    assert list(CHAPTERS) == [
        f"Another {what}" for what in ("identity", "queue", "key", "function", "app", "partner")
    ]


@pytest.mark.parametrize("chapter", WITH_JSON)
def test_what_a_chapter_adds_contradicts_nothing(chapter: str, tmp_path: Path) -> None:
    access = declared()
    extend(access, CHAPTERS[chapter])
    load(written(tmp_path, access))


@pytest.mark.parametrize("chapter", WITH_JSON)
def test_each_part_that_a_chapter_leaves_out_is_named(chapter: str, tmp_path: Path) -> None:
    """All but a right, which nobody has to use, or a queue that only its right names."""
    additions = CHAPTERS[chapter]
    accepted = set()
    for left_out, (where, _) in enumerate(additions):
        access = declared()
        with contextlib.suppress(AccessError, IndexError, TypeError, KeyError):
            extend(access, [one for n, one in enumerate(additions) if n != left_out])
            load(written(tmp_path, access))
            accepted.add(where)
    assert accepted <= {"queueGrants", "queues", "keyGrants", "telemetryGrants"}


def test_the_code_of_another_app_is_asked_for() -> None:
    access = declared()
    extend(access, CHAPTERS["Another app"])
    named = list(problems(cast("Access", access), ROOT))
    assert [name for name in ("shared/apps/auditor.py", "APPS", "azure.yaml") if name in str(named)]
    assert len(named) == 3

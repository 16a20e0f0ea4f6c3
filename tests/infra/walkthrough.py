"""docs/extending.md as data: what each chapter adds, and how that is put into a copy."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DECLARATION = "infra/access.json"
_ADDITION = re.compile(
    r"^In (?:the new file )?`([\w./-]+)`(?: of `([\w./-]+)`)?:\n\n"
    r"```(json|diff|python)\n(.*?)\n```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Addition:
    """One block of a chapter: where it belongs, what it is written in, and its text.

    `json` goes to the end of a list of the declaration, `diff` are lines of a file among those
    that are there, `python` is a new file.
    """

    where: str
    language: str
    text: str

    def declared(self, access: dict[str, Any]) -> None:
        """Put it into a declaration. Raises KeyError, TypeError or IndexError for no such place."""
        part: Any = access
        for step in self.where.split("."):
            found = [one for one in part if one["name"] == step] if isinstance(part, list) else []
            part = found[0] if found else part[step]
        part.append(json.loads(self.text))

    def written(self, root: Path) -> None:
        """Put it into a file of a project; the lines that it goes among are there once."""
        path = root / self.where
        if self.language == "python":
            assert not path.exists(), self.where
            path.write_text(f"{self.text}\n")
            return
        lines = self.text.splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
        after = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
        text = path.read_text()
        assert text.count(before) == 1, (self.where, before)
        path.write_text(text.replace(before, after))


def _additions(chapter: str) -> Sequence[Addition]:
    found = _ADDITION.findall(chapter)
    assert len(found) == chapter.count("```") // 2, "a block has no line that says where it goes"
    return [
        Addition(f"{folder}/{name}" if folder else name, language, text)
        for name, folder, language, text in found
    ]


CHAPTERS: Mapping[str, Sequence[Addition]] = {
    chapter.partition("\n")[0]: _additions(chapter)
    for chapter in (ROOT / "docs" / "extending.md").read_text().split("\n## ")[1:]
}


def declaration(additions: Iterable[Addition] = ()) -> dict[str, Any]:
    """Return the declaration, with what is added to it."""
    access: dict[str, Any] = json.loads((ROOT / DECLARATION).read_text())
    for addition in additions:
        if addition.language == "json":
            addition.declared(access)
    return access


def copy_of_project(folder: Path) -> Path:
    """Copy the project, without what tools made in it."""

    def left_out(at: str, names: list[str]) -> set[str]:
        folders = {name for name in names if (Path(at) / name).is_dir()}
        return {name for name in folders if name.startswith(".") or name == "__pycache__"}

    return Path(shutil.copytree(ROOT, folder, ignore=left_out))


def extend(root: Path, additions: Iterable[Addition]) -> None:
    """Make every change of some chapters in a copy of the project."""
    (root / DECLARATION).write_text(json.dumps(declaration(additions), indent=2))
    for addition in additions:
        if addition.language != "json":
            addition.written(root)

"""Read `infra/access.json`, held to its schema and to itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import jsonschema

from checks.contradictions import contradictions
from checks.declaration import Access


class AccessError(Exception):
    """The declaration is malformed or contradicts itself; `problems` names where."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def load(path: Path) -> Access:
    """Read a declaration and the schema beside it; raise `AccessError` with every problem found."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise AccessError([f"{path.name} is not JSON: {error}"]) from error
    schema = json.loads(path.with_name("access.schema.json").read_text(encoding="utf-8"))
    malformed = [
        f"{error.json_path}: {error.message}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(document)
    ]
    if malformed:
        raise AccessError(malformed)
    access = cast("Access", document)
    if found := contradictions(access):
        raise AccessError(found)
    return access

"""One table, two loaders: what Azure's library takes and refuses, this project's own does too.

On Python 3.13 both are asked and compared; on 3.11 and 3.12, where the library cannot be had, the
own one alone is held to the table.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.local.host.loader_cases import Case, cases

REPOSITORY = Path(__file__).parents[4]
LOADERS = ["own", "library"] if sys.version_info >= (3, 13) else ["own"]


Ask = Callable[[str, Case], Any]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Give what loads a case's app by a loader."""
    program = Path(__file__).with_name("loading.py")
    processes = {
        loader: subprocess.Popen(
            [sys.executable, str(program), loader],
            cwd=REPOSITORY,
            env={"PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for loader in LOADERS
    }

    def load(loader: str, case: Case) -> Any:
        process = processes[loader]
        assert process.stdin
        assert process.stdout
        root = tmp_path_factory.mktemp("app")
        (root / "function_app.py").write_text(case.preamble + case.code)
        process.stdin.write(json.dumps({"root": str(root), "calls": case.calls}) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield load
    for process in processes.values():
        process.communicate()


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_each_loader_answers_as_the_table_says(ask: Ask, case: Case) -> None:
    answers = {loader: ask(loader, case) for loader in LOADERS}
    for loader, answer in answers.items():
        if case.refused is not None:
            assert re.search(case.refused, answer["refused"]), loader
            continue
        assert "refused" not in answer, loader
        for (error, returned), gives in zip(answer["outcomes"], case.gives, strict=True):
            if isinstance(gives, str) and error is not None:
                assert error.startswith(gives), loader
            elif isinstance(gives, str):
                assert (error, returned[0], returned[1]["status"]) == (None, "http", "200"), loader
            else:
                assert (error, returned) == (None, gives), loader
    if case.refused is None and len(answers) == 2:
        # To the letter: bindings, values, and errors.
        assert answers["own"] == answers["library"]


@pytest.mark.parametrize("loader", LOADERS)
def test_an_app_that_ends_its_process_ends_the_worker(ask: Ask, loader: str) -> None:
    case = Case("exit", "import sys\nsys.exit(3)\n")
    assert ask(loader, case)["ended"] != 0

from __future__ import annotations

import argparse
from pathlib import Path

from checks import documents, named
from checks.documents import code, problems
from checks.named import Command, Route

ROOT = Path(__file__).resolve().parents[3]
SEND = Route("send", ("POST",), "/api/messages", "function")
HEALTH = Route("health", ("GET", "HEAD"), "/api/health", "anonymous")


def program() -> list[Command]:
    parser = argparse.ArgumentParser(prog="ops")
    commands = parser.add_subparsers()
    commands.add_parser("drop").add_argument("--yes", action="store_true")
    faults = commands.add_parser("fault").add_subparsers()
    faults.add_parser("set").add_argument("--times")
    return list(named.commands("ops", parser))


def test_the_documents_agree_with_the_code() -> None:
    assert problems(ROOT) == []


def test_code_is_what_is_in_blocks_and_between_backticks() -> None:
    text = "see `a\nb`\n```sh\nmake run \\\n  X=1\n```\nand not this\n"
    assert code(text) == ["make run    X=1\n", "a b"]


def test_a_setting_that_only_one_side_has_is_named() -> None:
    known = frozenset({"RELAY_APP", "RELAY_WAIT", "RELAY_KEY_"})
    text = "`RELAY_APP`, `RELAY_KEY_PAYLOAD`, `RELAY_KEY_<NAME>`, `RELAY_APPS`"
    assert list(documents.wrong_settings([text], known)) == [
        "RELAY_APPS: there is no such setting",
        "RELAY_WAIT: the setting is in no document",
    ]


def test_a_family_of_settings_is_named_by_one_of_it() -> None:
    known = frozenset({"RELAY_KEY_"})
    assert not list(documents.wrong_settings(["RELAY_KEY_PAYLOAD"], known))
    assert list(documents.wrong_settings([""], known))


def test_documented_commands_are_found_whatever_follows_them() -> None:
    lines = ["python -m ops drop ID --yes    # removes it", "python -m ops fault set a --times 1"]
    assert not list(documents.wrong_commands(lines, program()))


def test_a_command_or_option_that_only_one_side_has_is_named() -> None:
    lines = ["python -m ops drop --force", "python -m ops list", "python -m other list"]
    assert list(documents.wrong_commands(lines, program())) == [
        "python -m ops drop: there is no --force",
        "python -m ops list: there is no such command",
        "python -m ops drop --yes: the option is in no document",
        "python -m ops fault set: the command is in no document",
        "python -m ops fault set --times: the option is in no document",
    ]


def test_a_make_target_that_only_one_side_has_is_named() -> None:
    known = named.targets(".PHONY: run test FORCE\nrun:\n")
    assert list(documents.wrong_targets(["make run", "make all PYTHON=x"], known)) == [
        "make all: there is no such target",
        "make test: it is in no document",
    ]


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "a.py").touch()
    spans = ["shared/a.py", "shared/*.py", "shared/", ".local/ca.pem", "shared/b.py"]
    assert list(documents.wrong_paths(tmp_path, spans)) == ["shared/b.py: there is no such file"]


def test_a_reason_that_only_one_side_has_is_named() -> None:
    source = 'reject("partner-refused"); reject(f"undecryptable-{fault}"); FAULT = "wrong-key"'
    text = "| reason | when |\n|---|---|\n| `undecryptable-wrong-key`, `too-late` | |\n"
    assert list(documents.wrong_names([text], [source])) == [
        "partner-refused: the name is in no document",
        "too-late: there is no such name",
    ]


def test_a_function_that_is_documented_otherwise_is_named() -> None:
    document = (
        "| app | function | method | path | key | |\n|---|---|---|---|---|---|\n"
        "| sender | `send` | `POST` | `/api/messages` | anonymous | takes a message |\n"
        "| all | `health` | `GET`, `HEAD` | `/api/health` | anonymous | |\n"
    )
    assert list(documents.wrong_routes(document, [SEND, HEALTH])) == [
        "send POST /api/messages: not so in the code",
        "send POST /api/messages: not so in the document",
    ]


def test_a_status_that_only_one_side_has_is_named() -> None:
    document = "| status | from | when |\n|---|---|---|\n| `400` | sender | |\n"
    assert list(documents.wrong_statuses(document, frozenset({503}))) == [
        "400: no app answers it",
        "503: it is not documented",
    ]


def test_a_log_line_that_only_one_side_has_is_named() -> None:
    document = "| line | level |\n|---|---|\n| `retry ID in N s: ...`, `lost ID` | info |\n"
    known = [("retry %s in %.0f s: %s", False), ("queued %s", False), ("rejected %s", True)]
    assert list(documents.wrong_log_lines(document, known)) == [
        "lost ID: no app logs this",
        "rejected %s: the log line is not documented",
    ]

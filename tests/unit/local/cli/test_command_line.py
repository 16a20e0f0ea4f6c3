"""What the parser makes of a command that it does not understand."""

from __future__ import annotations

import pytest

from local.cli.main import command_line


@pytest.mark.parametrize(
    ("arguments", "usage", "error"),
    [
        ("status --foldr x", "local status", "--foldr x; did you mean --folder?"),
        ("fault set bus full --queues x", "local fault set", "did you mean --queue?"),
        ("stauts", "local", "did you mean status?"),
        ("fault grants decrypt of", "local fault grants", "did you mean off?"),
        ("logs --lines -1", "local logs", "whole number from 1 on"),
        ("received --limit 0", "local received", "whole number from 1 on"),
        ("decisions x", "local decisions", "whole number from 1 on"),
        ("fault clear 0", "local fault clear", "whole number from 1 on"),
        ("up --set A=1 --set A=2", "local up", "--set: A is given twice"),
        ("vm reader --foldr x", "local vm", "unrecognized arguments: --foldr; did you mean"),
        ("vm reader --folder", "local vm", "--folder: expected one argument"),
    ],
)
def test_an_error_has_the_usage_of_its_command_and_what_was_meant(
    arguments: str, usage: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line().parse_args(arguments.split())
    assert ended.value.code == 2
    written = capsys.readouterr().err
    assert written.startswith(f"usage: python -m {usage} ")
    assert error in written


def test_settings_are_collected_by_name() -> None:
    parse = command_line().parse_args
    assert parse(["up", "--set", "A=1", "--set", "B=x=y"]).set == {"A": "1", "B": "x=y"}
    assert parse(["up"]).set == {}


@pytest.mark.parametrize(
    ("arguments", "folder", "program"),
    [
        ("vm reader", ".local", []),
        ("vm --folder a reader", "a", []),
        ("vm reader --folder a", "a", []),
        ("vm reader --folder=a", "a", []),
        ("vm reader --folder a sh -c x", "a", ["sh", "-c", "x"]),
        ("vm reader --folder a -- sh --folder b", "a", ["sh", "--folder", "b"]),
        ("vm reader sh --folder b", ".local", ["sh", "--folder", "b"]),
        ("vm reader -- git log -- x", ".local", ["git", "log", "--", "x"]),
        ("vm reader git log -- x", ".local", ["git", "log", "--", "x"]),
    ],
)
def test_options_of_a_machine_end_where_its_program_begins(
    arguments: str, folder: str, program: list[str]
) -> None:
    options = command_line().parse_args(arguments.split())
    assert (options.folder.name, options.program) == (folder, program)


def test_a_machine_has_help_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line().parse_args(["vm", "reader", "--help"])
    assert ended.value.code == 0
    assert "before the program" in capsys.readouterr().out

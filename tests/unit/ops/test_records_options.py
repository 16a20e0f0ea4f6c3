"""How long what is kept, as the options and the environment say it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import pytest

from ops.cli import command_line
from ops.records_options import retention_days, retention_of
from shared.ledger.retention import Retention


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ("", {}, Retention(90, 90, 365)),
        ("--ledger-days 30 --rejected-days forever", {}, Retention(30, None, 365)),
        ("", {"RELAY_LEDGER_DAYS": "7", "RELAY_KEY_DAYS": "forever"}, Retention(7, 90, None)),
        ("--ledger-days 1", {"RELAY_LEDGER_DAYS": "7"}, Retention(1, 90, 365)),
    ],
)
def test_an_option_precedes_the_environment_and_that_the_default(
    arguments: str, environ: Mapping[str, str], expected: Retention
) -> None:
    options = command_line().parse_args(["prune", *arguments.split()])
    assert retention_of(options, environ) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "never", "\u0663", "100000", " 1", "Forever"]
)
def test_what_is_not_a_number_of_days_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a number of days from 1 on, or forever"):
        retention_days(text)


def test_a_wrong_number_is_named() -> None:
    options = command_line().parse_args(["prune"])
    with pytest.raises(argparse.ArgumentTypeError, match="--key-days or RELAY_KEY_DAYS must be"):
        retention_of(options, {"RELAY_KEY_DAYS": "x"})

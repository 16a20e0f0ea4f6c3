"""The command line's parser and the kinds of values that several commands take.

Those of `python -m ops` as well.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from local.known_names import did_you_mean

_CHOICE = re.compile(r"invalid choice: '(?P<given>.*)' \(choose from (?P<choices>.*)\)", re.DOTALL)
_UNKNOWN = "unrecognized arguments: "


class CommandLine(argparse.ArgumentParser):
    """A parser whose errors come with the usage of the command, and with what was meant.

    The library's own names the usage of the whole program where an option of a command is unknown.
    """

    def parse_known_args(  # type: ignore[override]  # the library's has an overload a namespace
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and refuse what is unknown: no command hands on what it does not know."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(_UNKNOWN + " ".join(unknown))
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, with an option or choice that is like the one given."""
        super().error(message + self._meant(message))

    def _meant(self, message: str) -> str:
        if found := _CHOICE.search(message):
            choices = [one.strip(" '") for one in found["choices"].split(",")]
            return did_you_mean(found["given"], choices)
        if message.startswith(_UNKNOWN):
            unknown = message.removeprefix(_UNKNOWN).split()
            options = (one.partition("=")[0] for one in unknown if one.startswith("--"))
            return did_you_mean(next(options, ""), self._option_string_actions)
        return ""


class SetOnce(argparse.Action):
    """Collects settings by name; one that is given twice would count only once, unseen."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Add one setting."""
        del parser, option_string
        given: dict[str, str] = getattr(namespace, self.dest)
        name, value = values if isinstance(values, tuple) else ("", "")
        if name in given:
            raise argparse.ArgumentError(self, f"{name} is given twice")
        # A new one: the default is of the parser, for all its uses.
        setattr(namespace, self.dest, {**given, name: value})


def count(text: str) -> int:
    """Read a whole number from 1 on."""
    if not re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII):
        raise argparse.ArgumentTypeError("must be a whole number from 1 on")
    return int(text)

"""The commands `start`, `stop` and `restart`: one app of a cloud that is up."""

from __future__ import annotations

import argparse

from local.cli.client import Client, path

_HELP = {
    "start": "start an app that was stopped or has ended",
    "stop": "let an app finish what it does, and stop it",
    "restart": "stop an app and start it again",
}


def add_app_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], folder: argparse.ArgumentParser
) -> None:
    """Add the three commands."""
    for name, explanation in _HELP.items():
        parser = commands.add_parser(name, parents=[folder], help=explanation)
        parser.add_argument("app", metavar="APP", help="sender, for example")
        parser.set_defaults(command=_run, action=name)


def _run(options: argparse.Namespace) -> int:
    answer = Client(options.folder).control("POST", path("apps", options.app, options.action))
    state = answer.get("state") if isinstance(answer, dict) else "?"
    print(f"{options.app} is {state}")
    return 0

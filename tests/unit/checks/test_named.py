from __future__ import annotations

import argparse
from pathlib import Path

from checks import named
from checks.named import Route

MODULE = """
_METHODS = ("GET", "HEAD")
LEVEL = func.AuthLevel.ANONYMOUS

@functions.route("messages", methods=["POST"])
async def send(req): ...

@functions.route("health", methods=_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
def health(req):
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "partner-refused", HTTPStatus.ACCEPTED)

@functions.service_bus_queue_trigger(arg_name="message")
async def receive(message): ...
"""


def test_the_name_of_a_connection_is_not_a_setting() -> None:
    found = named.settings({Path("a"): "RELAY_BUS", Path("b"): "RELAY_BUS__clientId"})
    assert found == {"RELAY_BUS__clientId"}


def test_commands_are_found_with_those_below_them() -> None:
    parser = argparse.ArgumentParser(prog="ops")
    faults = parser.add_subparsers().add_parser("fault").add_subparsers()
    faults.add_parser("set").add_argument("--times")
    found = list(named.commands("ops", parser))
    assert [" ".join(one.words) for one in found] == ["ops", "ops fault", "ops fault set"]
    assert found[2].options == {"-h", "--help", "--times"}


def test_statuses_are_those_of_errors() -> None:
    assert list(named.statuses(MODULE)) == [503]


def test_names_are_literals_of_words_with_hyphens() -> None:
    assert list(named.names(MODULE)) == ["partner-refused"]


def test_functions_are_read_with_methods_path_and_level() -> None:
    assert list(named.routes(MODULE)) == [
        Route("send", ("POST",), "/api/messages", "function"),
        Route("health", ("GET", "HEAD"), "/api/health", "anonymous"),
    ]


def test_packages_are_those_of_python(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "shared" / name).mkdir(parents=True)
    (tmp_path / "shared" / "a" / "__init__.py").touch()
    assert named.packages(tmp_path, "shared") == {"shared/a"}


def test_log_lines_are_read_with_whether_somebody_has_to_see_them() -> None:
    source = """
_log.info("queued %s", message)
self._log.log(
    level, "%s is away", service)
_log.warning("rejected %s")
_log.error(text)
names.error("not a log")
"""
    assert list(named.log_lines(source)) == [
        ("queued %s", False),
        ("%s is away", True),
        ("rejected %s", True),
    ]

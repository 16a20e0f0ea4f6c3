from __future__ import annotations

from pathlib import Path

import pytest

from local.deployment.resources import AppSpec
from local.runtime.apps import AppFailedError, AppProcess
from local.runtime.programs import AppEnvironment

SPEC = AppSpec("/apps/sender", "relay-sender", "sender", (), None, {})


def app(tmp_path: Path, environment: dict[str, str]) -> AppProcess:
    return AppProcess(SPEC, environment, tmp_path / "sender.log", None, 0, on_event=lambda _: None)


async def test_an_app_that_does_not_come_up_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    started = app(tmp_path, {"RELAY_APP": "sender"})
    with pytest.raises(AppFailedError, match=r"'sender' does not run: RELAY_BUS__fully") as failure:
        await started.start()
    assert str(failure.value).count("RELAY_KEY_PAYLOAD is missing") == 2
    assert started.state == "stopped"
    assert (tmp_path / "sender.log").stat().st_mode & 0o777 == 0o600


async def test_nothing_of_the_parents_environment_reaches_an_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A setting in the parent's environment would make this app another one.
    monkeypatch.setenv("RELAY_APP", "sender")
    with pytest.raises(AppFailedError) as failure:
        await app(tmp_path, {}).start()
    assert "RELAY_APP must be one of" in str(failure.value)


def test_an_identity_header_is_never_shown(tmp_path: Path) -> None:
    common = AppEnvironment("http://127.0.0.1:1/msi/token", tmp_path / "ca.pem", "sb://x")
    environment = common.variables("planted-header")
    assert environment["IDENTITY_HEADER"] == "planted-header"
    assert "planted-header" not in repr(app(tmp_path, environment))


async def test_an_app_runs_from_another_folder_once_that_has_a_package(tmp_path: Path) -> None:
    other = app(tmp_path, {})
    package = tmp_path / "package"
    for wrong, said in ((package, "no function_app.py and no host.json"), (Path("a"), "is not")):
        with pytest.raises(ValueError, match=said):
            other.take(wrong)
    package.mkdir()
    (package / "host.json").write_text('{"version": "2.0"}')
    (package / "function_app.py").write_text("raise ValueError('this is the other one')")
    other.take(package)
    with pytest.raises(AppFailedError, match="this is the other one"):
        await other.start()

"""Which formats an app accepts and emits, under a deployment of its own version and a newer one."""

from __future__ import annotations

import pytest

from shared.message import formats
from shared.message.formats import Formats
from shared.settings import format_settings
from shared.settings.environment import SettingsError, load
from shared.settings.settings import ReceiverSettings, SenderSettings, TrackerSettings
from shared.settings.version import DEPLOYMENT_VERSION
from tests.unit.shared.settings.test_settings import environment

NEWER = {"RELAY_DEPLOYMENT_VERSION": str(DEPLOYMENT_VERSION + 1)}
TWO = Formats(frozenset({1, 2}))


def receiver(**settings: str) -> ReceiverSettings:
    loaded = load(environment("receiver", **settings))["receiver"]
    assert isinstance(loaded, ReceiverSettings)
    return loaded


def sender(**settings: str) -> SenderSettings:
    loaded = load(environment("sender", **settings))["sender"]
    assert isinstance(loaded, SenderSettings)
    return loaded


@pytest.fixture
def knows_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the code know a second format."""
    monkeypatch.setattr(format_settings, "KNOWN_FORMATS", TWO)


def test_all_that_is_known_is_accepted_and_what_the_version_before_knows_is_emitted() -> None:
    assert receiver().formats_accepted == formats.KNOWN_FORMATS
    assert receiver().format_emitted == sender().format_emitted == formats.EMITTED_FORMAT
    tracker = load(environment("tracker"))["tracker"]
    assert isinstance(tracker, TrackerSettings)
    assert tracker.formats_accepted == formats.KNOWN_FORMATS


@pytest.mark.usefixtures("knows_two")
def test_what_is_accepted_and_what_is_emitted_are_set_apart() -> None:
    both = receiver(RELAY_FORMATS_ACCEPTED="1,2", RELAY_FORMAT_EMITTED="1")
    assert (both.formats_accepted, both.format_emitted) == (TWO, 1)
    retired = receiver(RELAY_FORMATS_ACCEPTED="2", RELAY_FORMAT_EMITTED="2")
    assert (retired.formats_accepted, retired.format_emitted) == (Formats(frozenset({2})), 2)
    assert sender(RELAY_FORMAT_EMITTED="2").format_emitted == 2


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"RELAY_FORMATS_ACCEPTED": "1,2"}, r"ACCEPTED names a format .* not know \(1\)"),
        ({"RELAY_FORMATS_ACCEPTED": "2"}, r"ACCEPTED names no format that this code knows \(1\)"),
        ({"RELAY_FORMAT_EMITTED": "2"}, r"EMITTED is not a format that this code knows \(1\)"),
        ({"RELAY_FORMAT_EMITTED": "0"}, "EMITTED must be a whole number from 1 to 9999"),
        ({"RELAY_FORMATS_ACCEPTED": "all"}, "ACCEPTED must be numbers of formats"),
    ],
)
def test_a_format_that_the_code_does_not_know_is_refused(
    settings: dict[str, str], problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        receiver(**settings)


def test_under_a_newer_deployment_it_is_ignored_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = receiver(RELAY_FORMATS_ACCEPTED="1,2,3", RELAY_FORMAT_EMITTED="3", **NEWER)
    assert (found.formats_accepted, found.format_emitted) == (formats.KNOWN_FORMATS, 1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


@pytest.mark.usefixtures("knows_two")
def test_under_a_newer_deployment_the_newest_known_format_is_emitted() -> None:
    assert sender(RELAY_FORMAT_EMITTED="3", **NEWER).format_emitted == 2


def test_a_newer_deployment_that_has_retired_all_that_is_known_stops_the_app() -> None:
    with pytest.raises(SettingsError, match="names no format that this code knows"):
        receiver(RELAY_FORMATS_ACCEPTED="2,3", **NEWER)


@pytest.mark.usefixtures("knows_two")
def test_what_an_app_emits_it_also_accepts() -> None:
    """It reads the pending receipts that it writes."""
    for more in ({}, NEWER):
        with pytest.raises(SettingsError, match="EMITTED must be one of RELAY_FORMATS_ACCEPTED"):
            receiver(RELAY_FORMATS_ACCEPTED="1", RELAY_FORMAT_EMITTED="2", **more)
    later = receiver(RELAY_FORMATS_ACCEPTED="1,3", RELAY_FORMAT_EMITTED="3", **NEWER)
    assert (later.formats_accepted, later.format_emitted) == (Formats(frozenset({1})), 1)

from __future__ import annotations

import pytest

from local.runtime.programs import UnknownSettingError, replaced

DEPLOYED = {
    "sender": {"RELAY_APP": "sender", "RELAY_KEY_PAYLOAD": "x"},
    "receiver": {"RELAY_APP": "receiver", "OTHER": "x"},
}


def test_a_setting_goes_to_each_app_that_has_it() -> None:
    given = {"RELAY_RETRY_SCHEDULE": "1s", "OTHER": "y"}
    assert replaced(DEPLOYED, given) == {"sender": {}, "receiver": given}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("RELAY_RETRY_SCHEDUEL", "; did you mean RELAY_RETRY_SCHEDULE?"),
        ("relay_retry_schedule", "; did you mean RELAY_RETRY_SCHEDULE?"),
        ("XYZ", ""),
    ],
)
def test_a_setting_that_no_app_has_is_refused(name: str, hint: str) -> None:
    with pytest.raises(UnknownSettingError) as refused:
        replaced(DEPLOYED, {name: "1"})
    assert str(refused.value) == f"no app has a setting {name} that can be set{hint}"


@pytest.mark.parametrize("name", ["RELAY_APP", "IDENTITY_HEADER"])
def test_what_makes_an_app_what_it_is_cannot_be_set(name: str) -> None:
    with pytest.raises(UnknownSettingError) as refused:
        replaced(DEPLOYED, {name: "1"})
    assert str(refused.value) == f"{name} makes an app what it is, and cannot be set"

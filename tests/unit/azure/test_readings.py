"""What answers of az and azd are taken for, and that others are refused."""

from __future__ import annotations

import pytest

from tests.azure import readings
from tests.azure.account import is_signed_in
from tests.azure.readings import Key, UnreadableError

VERSION = "https://payload-x.vault.azure.net/keys/payload/0123"


def test_a_key_is_its_version_and_expiry() -> None:
    shown = {"properties": {"keyUriWithVersion": VERSION, "attributes": {"exp": 5}}}
    assert Key.from_json(shown) == Key("0123", 5)
    assert Key.from_json({"properties": {"keyUriWithVersion": VERSION}}) == Key("0123", None)


@pytest.mark.parametrize(
    "shown",
    [
        None,
        [],
        {},
        {"properties": None},
        {"properties": {}},
        {"properties": {"keyUriWithVersion": 7}},
        {"properties": {"keyUriWithVersion": "https://x.vault.azure.net/keys"}},
    ],
)
def test_what_is_no_key_is_refused(shown: object) -> None:
    with pytest.raises(UnreadableError):
        Key.from_json(shown)


@pytest.mark.parametrize(
    ("shown", "signed_in"),
    [
        ({"status": "success", "expiresOn": "2026-11-26T10:00:00Z"}, True),
        ({"status": "unauthenticated"}, False),
        ({}, False),
        (None, False),
        ("success", False),
    ],
)
def test_who_is_signed_in_to_azd(shown: object, signed_in: bool) -> None:
    assert is_signed_in(shown) is signed_in


def test_a_metric_keeps_its_gaps() -> None:
    data = [{"maximum": 2}, {"timeStamp": "t"}, {"maximum": None}, {"maximum": 0.0}]
    shown = {"value": [{"timeseries": [{"data": data}]}]}
    assert readings.metric(shown, "Maximum") == [2.0, None, None, 0.0]
    assert readings.metric({"value": [{"timeseries": []}]}, "Maximum") == []


@pytest.mark.parametrize("shown", [None, {}, {"value": []}, {"value": [{}, {}]}, {"value": "x"}])
def test_what_is_not_one_metric_is_refused(shown: object) -> None:
    with pytest.raises(UnreadableError):
        readings.metric(shown, "Maximum")


def test_flex_consumption_is_offered_by_name() -> None:
    shown = [{"name": "North Europe"}, {"name": "eastus"}]
    assert readings.not_flexible(shown, "northeurope") is None
    assert readings.not_flexible(shown, "eastus") is None
    why = readings.not_flexible(shown, "westindia")
    assert why is not None
    assert "westindia" in why
    assert "eastus, northeurope" in why
    assert readings.not_flexible(None, "eastus") is not None


def offer(sku: str, restricted: str) -> dict[str, object]:
    return {
        "supportedFeatures": [
            {"name": "ZoneRedundantHa", "status": "Enabled"},
            {"name": "OfferRestricted", "status": restricted},
        ],
        "supportedServerEditions": [{"supportedServerSkus": [{"name": sku}]}],
    }


@pytest.mark.parametrize(
    ("shown", "offered"),
    [
        ([offer("Standard_B1ms", "Disabled")], True),
        ([offer("Standard_B1ms", "Enabled")], False),
        ([offer("Standard_D2s_v3", "Disabled")], False),
        ([], False),  # what stands behind "the value of Version should be in []"
        (None, False),
        ([{}], False),
        ([7], False),
    ],
)
def test_a_location_that_refuses_a_database_is_known_before(shown: object, offered: bool) -> None:
    assert (readings.no_database(shown, "eastus2", "Standard_B1ms") is None) is offered


def test_only_the_roles_and_vaults_of_a_deployment_are_its_own() -> None:
    roles = [
        {"name": "1", "roleName": "Relay encrypt with a key (abc)"},
        {"name": "2", "roleName": "Relay encrypt with a key (xabc)"},
        {"name": "3", "roleName": "abc"},
        "no role",
    ]
    assert readings.roles_of(roles, "abc") == ["1"]
    assert readings.roles_of(roles, "") == [], "without a suffix nothing is known to be ours"
    vaults = [
        {"name": "payload-abc", "properties": {"scheduledPurgeDate": "2027-02-24"}},
        {"name": "partner-abc"},
        {"name": "payload-other"},
        None,
    ]
    assert readings.deleted_vaults(vaults, "abc") == {
        "payload-abc": "2027-02-24",
        "partner-abc": "unknown",
    }
    assert readings.deleted_vaults(vaults, "") == {}


def test_the_suffix_is_what_all_names_end_with() -> None:
    assert readings.suffix_among(["encrypt-abc", "sender_bus-abc"]) == "abc"
    assert readings.suffix_among(["encrypt-abc", "somebody-else"]) == ""
    assert readings.suffix_among([]) == ""
    assert readings.suffix_of({"RELAY_VAULT_PAYLOAD": "payload-abc"}) == "abc"
    for wrong in ({}, {"RELAY_VAULT_PAYLOAD": "payload"}, {"RELAY_VAULT_PAYLOAD": "payload-"}):
        with pytest.raises(UnreadableError):
            readings.suffix_of(wrong)


def test_a_proof_names_what_is_wrong() -> None:
    assert readings.unproven({"proven": True, "silent": {}, "differences": []}) == []
    wrong = {"verdict": "WIDER", "identity": "encrypt", "operation": "decrypt", "object": "payload"}
    assert readings.unproven(
        {"proven": False, "silent": {"tracker": "status 503"}, "differences": [wrong]}
    ) == ["tracker did not answer: status 503", "WIDER encrypt decrypt payload"]
    assert readings.unproven({"proven": False}) != []
    unreadable: object
    for unreadable in ({}, [], {"proven": "yes"}):
        with pytest.raises(UnreadableError):
            readings.unproven(unreadable)

from __future__ import annotations

import json

import pytest

from local.deployment.deployment import load
from local.page.operations import DATA_ACTIONS, operation_of
from local.page.picture import Picture
from shared.access.declaration import Declaration
from tests.pipeline.cloud_process import POLICIES_SNAPSHOT, ROOT, SNAPSHOT

DECLARED = json.loads((ROOT / "infra" / "access.json").read_text())


@pytest.fixture(params=[SNAPSHOT, POLICIES_SNAPSHOT], ids=["roles", "policies"])
def picture(request: pytest.FixtureRequest) -> Picture:
    return Picture.of(load(ROOT / "infra" / request.param))


def test_apps_are_drawn_with_the_identities_that_are_granted_anything(picture: Picture) -> None:
    granted = {one.name for one in picture.identities}
    assert {app.name: set(app.identities) for app in picture.apps} == {
        app["name"]: set(app["identities"]) & granted for app in DECLARED["apps"]
    }
    assert not {app["package"] for app in DECLARED["apps"]} & granted


def test_an_identity_of_two_apps_is_drawn_in_both(picture: Picture) -> None:
    database = picture.identity("database")
    assert database is not None
    assert database.apps == ("sender", "tracker")


def test_the_grants_are_those_of_the_declaration(picture: Picture) -> None:
    declaration = Declaration.load(ROOT / "infra" / "access.json")
    compared = {("key", "encrypt"), ("key", "decrypt"), ("secret", "get"), ("queue", "send")}
    compared.add(("queue", "receive"))
    drawn = {
        (one.name, grant.kind, grant.object, grant.operation)
        for one in picture.identities
        for grant in one.grants
        if (grant.kind, grant.operation) in compared
    }
    shown = {one.name for one in picture.identities}
    assert drawn == {
        (grant.identity, grant.kind, grant.object, grant.operation)
        for grant in declaration.grants
        if (grant.kind, grant.operation) in compared and grant.identity in shown
    }


def test_each_grant_names_the_assignment_that_gives_it(picture: Picture) -> None:
    for identity in picture.identities:
        for grant in identity.grants:
            assert grant.by.startswith(("role '", "access policy ")), grant
            assert "(not in the deployment)" not in grant.by


def test_vaults_and_queues_are_drawn_as_declared(picture: Picture) -> None:
    assert set(picture.queues) == {one["name"] for one in DECLARED["queues"]}
    keys = [key for vault in picture.vaults for key in vault.keys]
    secrets = [secret for vault in picture.vaults for secret in vault.secrets]
    assert keys == [one["name"] for one in DECLARED["keys"]]
    assert sorted(secrets) == sorted(one["name"] for one in DECLARED["secrets"])


def test_every_operation_has_a_word_and_a_data_action() -> None:
    for (_, operation), action in DATA_ACTIONS.items():
        assert operation_of(action) == operation == operation_of(action.lower())


@pytest.mark.parametrize(
    ("action", "word"),
    [
        ("Microsoft.KeyVault/vaults/keys/wrap/action", "wrap"),
        ("Microsoft.ServiceBus/namespaces/read", "read"),
        (None, "sign in"),
    ],
)
def test_an_action_that_the_page_has_no_word_for_is_named_by_its_end(
    action: str | None, word: str
) -> None:
    assert operation_of(action) == word

from __future__ import annotations

import dataclasses

import pytest

from local.authorization import Authorization
from local.deployment import load
from local.grants import principals, without
from tests.pipeline.running import POLICIES_SNAPSHOT, ROOT, SNAPSHOT

KEYS = "Microsoft.KeyVault/vaults/keys"
SEND = "Microsoft.ServiceBus/namespaces/messages/send/action"


def test_identities_go_by_the_names_of_the_settings() -> None:
    deployment = load(ROOT / "infra" / SNAPSHOT)
    assert {
        *("database", "encrypt", "sender_bus", "decrypt", "partner", "receiver_bus", "tracker_bus"),
        "operator",
    } == set(principals(deployment))
    unnamed = dataclasses.replace(deployment, apps=())
    assert "decrypt-local" in principals(unnamed)


@pytest.mark.parametrize("snapshot", [SNAPSHOT, POLICIES_SNAPSHOT])
def test_what_one_may_is_taken_from_it_and_from_no_other(snapshot: str) -> None:
    deployment = load(ROOT / "infra" / snapshot)
    names = principals(deployment)
    [key] = [key.resource_id for vault in deployment.vaults for key in vault.keys]

    def may(authorization: Authorization) -> list[bool]:
        return [
            authorization.decide(names[name], f"{KEYS}/{name}/action", key).allowed
            for name in ("encrypt", "decrypt")
        ]

    assert may(Authorization(deployment)) == [True, True]
    assert may(Authorization(without(deployment, {names["decrypt"].upper()}))) == [True, False]
    assert without(deployment, set()) == deployment


def test_rights_on_the_bus_are_taken_too() -> None:
    deployment = load(ROOT / "infra" / SNAPSHOT)
    sender = principals(deployment)["sender_bus"]
    queue = next(q for q in deployment.namespaces[0].queues if q.name == "messages").resource_id
    assert Authorization(deployment).decide(sender, SEND, queue).allowed
    taken = Authorization(without(deployment, {sender}))
    assert not taken.decide(sender, SEND, queue).allowed

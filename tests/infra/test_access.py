"""The declaration itself: its schema, and that it does not contradict itself."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

from checks.access import AccessError, load
from checks.contradictions import contradictions
from checks.declaration import Access

INFRA = Path(__file__).resolve().parents[2] / "infra"


@pytest.fixture(scope="module")
def access() -> Access:
    return load(INFRA / "access.json")


def test_the_declaration_is_valid(access: Access) -> None:
    assert contradictions(access) == []


# The one copy of what is declared. It is the judge: who adds an identity, an object or a grant says
# so here, in a change that a reviewer sees. Every other test reads the declaration.
def test_the_declaration_is_the_table_of_the_design(access: Access) -> None:
    assert {app["name"]: app["identities"] for app in access["apps"]} == {
        "sender": ["database", "encrypt", "sender_bus", "sender_package"],
        "receiver": ["decrypt", "partner", "partner_state", "receiver_bus", "receiver_package"],
        "tracker": ["database", "tracker_bus", "tracker_package"],
    }
    machines = {
        one["name"]: (one["identities"], one["systemIdentity"]) for one in access["machines"]
    }
    assert machines == {
        "reader": (["database"], True),
        "merged": (["receiver_merged"], False),
        "split": (["decrypt", "partner"], False),
    }
    may = {
        *((g["identity"], o, g["key"]) for g in access["keyGrants"] for o in g["operations"]),
        *((g["identity"], "get", g["secret"]) for g in access["secretGrants"]),
        *((g["identity"], r, g["queue"]) for g in access["queueGrants"] for r in g["rights"]),
        *((g["identity"], "store", g["storage"]) for g in access["packageGrants"]),
    }
    assert may == {
        ("database", "get", "database-connection"),
        ("encrypt", "encrypt", "payload"),
        ("sender_bus", "send", "messages"),
        ("decrypt", "decrypt", "payload"),
        ("partner", "get", "partner-connection"),
        ("partner_state", "get", "partner-state"),
        ("receiver_bus", "receive", "messages"),
        ("receiver_bus", "receive", "dead-letters"),
        ("receiver_bus", "send", "retries"),
        ("receiver_bus", "receive", "retries"),
        ("receiver_bus", "send", "rejected"),
        ("receiver_bus", "send", "receipts"),
        ("tracker_bus", "receive", "receipts"),
        ("tracker_bus", "send", "rejected"),
        ("tracker_bus", "send", "receipts"),
        ("sender_package", "store", "sender"),
        ("receiver_package", "store", "receiver"),
        ("tracker_package", "store", "tracker"),
        ("receiver_merged", "decrypt", "payload"),
        ("receiver_merged", "get", "partner-connection"),
        ("operator", "receive", "rejected"),
        ("operator", "send", "messages"),
        ("operator", "send", "receipts"),
        ("retry_officer", "send", "retries"),
        ("retry_officer", "receive", "retries"),
        ("records_officer", "receive", "rejected"),
        ("records_officer", "receive", "retries"),
    }


def schema() -> dict[str, object]:
    document: dict[str, object] = json.loads((INFRA / "access.schema.json").read_text())
    return document


def fields(node: object, path: str = "") -> Iterator[tuple[str, dict[str, object]]]:
    """Every field that the schema defines, at any depth."""
    if isinstance(node, dict):
        for name, field in (node.get("properties") or {}).items():
            yield f"{path}/{name}", field
            yield from fields(field, f"{path}/{name}")
        yield from fields(node.get("items"), f"{path}[]")


def test_the_schema_is_one_and_describes_every_field() -> None:
    document = schema()
    jsonschema.Draft202012Validator.check_schema(document)
    found = dict(fields(document))
    assert "/apps[]/trigger/queues" in found
    assert [path for path, field in found.items() if not {"description", "$ref"} & set(field)] == []
    definitions = document["$defs"]
    assert isinstance(definitions, dict)
    assert all("description" in definition for definition in definitions.values())


def contradict_identity(access: Access) -> None:
    access["secretGrants"][0]["identity"] = "nobody"


def contradict_key(access: Access) -> None:
    access["keyGrants"][0]["vault"] = "partner"


def contradict_secret(access: Access) -> None:
    access["secretGrants"][0]["secret"] = "other"


def contradict_queue(access: Access) -> None:
    access["queueGrants"][0]["queue"] = "other"


def contradict_vault(access: Access) -> None:
    access["keys"][0]["vault"] = "other"


def detach(access: Access) -> None:
    access["apps"][1]["identities"].remove("receiver_bus")


def attach_unknown(access: Access) -> None:
    access["apps"][1]["identities"].append("nobody")


def idle(access: Access) -> None:
    del access["secretGrants"][1]


def machine_without_a_secret(access: Access) -> None:
    access["machines"][2]["identities"].remove("partner")


def machine_with_two_secrets(access: Access) -> None:
    access["machines"][2]["identities"].append("database")


def machine_with_a_name_of_an_app(access: Access) -> None:
    access["machines"][0]["name"] = "sender"


def trigger_of_another(access: Access) -> None:
    access["apps"][1]["trigger"] = {"identity": "tracker_bus", "queues": ["receipts"]}


def trigger_without_right(access: Access) -> None:
    access["apps"][1]["trigger"] = {"identity": "receiver_bus", "queues": ["messages", "rejected"]}


def status_of_nobody(access: Access) -> None:
    access["apps"][0]["status"] = "nobody"


def forward_ahead(access: Access) -> None:
    access["queues"].reverse()


def forward_to_itself(access: Access) -> None:
    access["queues"][0]["forwardTo"] = "rejected"


def idle_operator(access: Access) -> None:
    access["operators"].append({"name": "auditor", "purpose": "Look on"})


def operator_with_a_secret(access: Access) -> None:
    access["secretGrants"][0]["identity"] = "operator"


def attach_operator(access: Access) -> None:
    access["apps"][0]["identities"].append("operator")


def name_an_operator_twice(access: Access) -> None:
    access["operators"][0]["name"] = "decrypt"


def share_a_vault(access: Access) -> None:
    access["secrets"].append({"name": "second", "vault": "partner"})


def empty_vault(access: Access) -> None:
    access["vaults"].append({"name": "spare"})


def declare_twice(access: Access) -> None:
    access["secrets"].append({"name": "partner-connection", "vault": "database"})


def grant_twice(access: Access) -> None:
    access["keyGrants"].append(copy.deepcopy(access["keyGrants"][0]))


def scale_by_nothing(access: Access) -> None:
    access["scaleGrants"].append({"identity": "receiver_bus", "queue": "rejected"})


def scale_blindly(access: Access) -> None:
    del access["scaleGrants"][0]


def scale_as_nobody(access: Access) -> None:
    access["scaleGrants"][0]["identity"] = "nobody"


def store_as_another(access: Access) -> None:
    access["apps"][0]["package"] = "receiver_package"


def store_for_another(access: Access) -> None:
    access["packageGrants"][0]["storage"] = "receiver"


def store_nothing(access: Access) -> None:
    del access["packageGrants"][0]


def store_as_what_may_more(access: Access) -> None:
    access["queueGrants"].append(
        {"identity": "sender_package", "queue": "messages", "rights": ["send"]}
    )


def store_as_nobody(access: Access) -> None:
    access["packageGrants"][0]["identity"] = "nobody"


def store_twice(access: Access) -> None:
    access["packageGrants"].append(copy.deepcopy(access["packageGrants"][0]))


def own_the_package_of_another(access: Access) -> None:
    access["storageGrants"][0]["storage"] = "receiver"


def own_two_packages(access: Access) -> None:
    access["storageGrants"].append({"app": "sender", "storage": "receiver"})


def telemetry_of_nobody(access: Access) -> None:
    access["telemetryGrants"].append({"app": "nobody"})


def telemetry_twice(access: Access) -> None:
    access["telemetryGrants"].append({"app": "sender"})


@pytest.mark.parametrize(
    ("contradict", "said"),
    [
        (scale_by_nothing, "receiver_bus sees rejected, which triggers no app under it"),
        (scale_blindly, "nobody scales with messages: receiver_bus may not see it"),
        (scale_as_nobody, "identity nobody, which is not declared"),
        (store_as_another, "sender stores its package under receiver_package, which it has not"),
        (store_for_another, "may use the packages of receiver, not just the packages of sender"),
        (store_nothing, "which may use nothing, not just the packages of sender"),
        (store_nothing, "identity sender_package may do nothing"),
        (store_as_what_may_more, "may use queue messages and the packages of sender, not just"),
        (store_as_nobody, "identity nobody, which is not declared"),
        (store_twice, "grant sender_package store the packages of sender is declared 2 times"),
        (own_the_package_of_another, "sender owns the blobs of ['receiver'], not just its own"),
        (own_two_packages, "sender owns the blobs of ['sender', 'receiver'], not just its own"),
        (telemetry_of_nobody, "app nobody, which is not declared"),
        (telemetry_twice, "grant app sender send telemetry is declared 2 times"),
        (contradict_identity, "identity nobody, which is not declared"),
        (status_of_nobody, "status at nobody, which is not declared"),
        (contradict_key, "key partner/payload, which is not declared"),
        (contradict_secret, "secret database/other, which is not declared"),
        (contradict_queue, "queue other, which is not declared"),
        (contradict_vault, "vault other, which is not declared"),
        (detach, "identity receiver_bus is attached to no app or machine"),
        (attach_unknown, "an app or a machine has identity nobody, which is not declared"),
        (idle, "identity partner may do nothing"),
        (machine_without_a_secret, "machine split may read 0 secrets instead of one"),
        (machine_with_two_secrets, "machine split may read 2 secrets instead of one"),
        (machine_with_a_name_of_an_app, "app or machine sender is declared 2 times"),
        (trigger_of_another, "receiver is triggered under tracker_bus, which it has not"),
        (trigger_without_right, "by rejected, which receiver_bus may not receive"),
        (forward_ahead, "messages forwards to dead-letters, which is not declared before it"),
        (forward_to_itself, "rejected forwards to rejected, which is not declared before it"),
        (idle_operator, "operator auditor may do nothing"),
        (operator_with_a_secret, "identity operator, which is not declared"),
        (attach_operator, "an app or a machine has identity operator, which is not declared"),
        (name_an_operator_twice, "identity or operator decrypt is declared 2 times"),
        (share_a_vault, "vault partner holds 2 keys and secrets instead of one"),
        (empty_vault, "vault spare holds 0 keys and secrets instead of one"),
        (declare_twice, "secret partner-connection is declared 2 times"),
        (grant_twice, "grant encrypt encrypt payload/payload is declared 2 times"),
    ],
)
def test_a_contradiction_is_named(
    access: Access, contradict: Callable[[Access], None], said: str
) -> None:
    changed = copy.deepcopy(access)
    contradict(changed)
    assert any(said in problem for problem in contradictions(changed)), contradictions(changed)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"operations": ["encrypt"]', '"operations": ["get"]', "'get' is not one of"),
        ('"purpose": "Take receipts;', '"note": "Take receipts;', "'note' was unexpected"),
        ('"PT10M"', '"10 minutes"', "does not match"),
        ('"PT5M"', '"PT6M"', "does not match"),
        ('"name": "tracker_bus"', '"name": "Tracker-Bus"', "does not match"),
        ('"rights": ["send"]', '"rights": []', "[] should be non-empty"),
        (
            '"maxDeliveryCount": 2000',
            '"maxDeliveryCount": 2001',
            "greater than the maximum of 2000",
        ),
        ("[", "", "not JSON"),
    ],
)
def test_a_malformed_declaration_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    shutil.copy(INFRA / "access.schema.json", tmp_path)
    text = (INFRA / "access.json").read_text()
    assert old in text
    (tmp_path / "access.json").write_text(text.replace(old, new, 1))
    with pytest.raises(AccessError) as refused:
        load(tmp_path / "access.json")
    assert said in str(refused.value)
    assert refused.value.problems

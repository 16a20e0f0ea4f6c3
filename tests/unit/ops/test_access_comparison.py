from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import pytest

from ops.access_comparison import GrantUse, NoAnswerError, ProbeResult, Proof, Report, unused
from ops.access_report import as_json, show
from shared.access.declaration import Declaration, Grant, Outcome, owner
from shared.settings.inventory import Inventory

DECLARED = Declaration.load()
NOTHING = Inventory({}, (), (), ())
APPS = DECLARED.objects["app"]

OPERATORS = DECLARED.operators


def attached(app: str) -> set[str]:
    return {g.identity for g in DECLARED.grants if g.kind == "app" and g.object == app}


def everyone() -> set[str]:
    return {name for app in APPS for name in attached(app)}


def told(app: str, changes: dict[Grant, Outcome] | None = None) -> list[ProbeResult]:
    """What an app tells where all is as declared, but for what is changed."""
    changes = changes or {}
    found: dict[Grant, Outcome] = {}
    for name in everyone():
        if owner(name) in (None, app):
            token = Grant(name, "app", app, "token")
            found[token] = changes.get(token, "allowed" if name in attached(app) else "refused")
            if found[token] == "allowed":
                for grant in DECLARED.on_objects(name):
                    usual: Outcome = "allowed" if grant in DECLARED.grants else "refused"
                    found[grant] = changes.get(grant, usual)
    return [ProbeResult(grant, app, outcome, "x") for grant, outcome in found.items()]


def reports(changes: dict[Grant, Outcome] | None = None) -> list[Report]:
    return [Report(app, tuple(told(app, changes)), DECLARED.digest, NOTHING) for app in APPS]


def operator(changes: dict[Grant, Outcome] | None = None) -> list[ProbeResult]:
    changes = changes or {}
    return [
        ProbeResult(g, name, changes.get(g, "allowed" if g in DECLARED.grants else "refused"), "x")
        for name in OPERATORS
        for g in DECLARED.on_objects(name)
    ]


def found(proof: Proof) -> list[tuple[str, Grant]]:
    return [(line.verdict, line.grant) for line in proof.differences()]


def shown(proof: Proof, idle: list[Grant] | None = None) -> str:
    output = io.StringIO()
    with redirect_stdout(output):
        show(proof, idle)
    return output.getvalue()


def test_all_as_declared_has_no_difference() -> None:
    proof = Proof(DECLARED, reports(), operators=operator())
    assert proof.differences() == []
    assert proof.not_asked == ()
    assert set(proof.rows) == everyone() | set(OPERATORS)
    text = shown(proof)
    assert "proven:" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("grant", "outcome", "verdict"),
    [
        (Grant("encrypt", "key", "payload", "get"), "allowed", "wider"),
        (Grant("encrypt", "key", "payload", "encrypt"), "refused", "narrower"),
        (Grant("database", "secret", "partner-connection", "list"), "allowed", "wider"),
        (Grant("tracker_bus", "queue", "receipts", "receive"), "could not tell", "could not tell"),
        (Grant("sender (system)", "queue", "messages", "send"), "allowed", "wider"),
        (Grant("decrypt", "app", "sender", "token"), "allowed", "wider"),
    ],
)
def test_one_difference_is_named_alone(grant: Grant, outcome: Outcome, verdict: str) -> None:
    proof = Proof(DECLARED, reports({grant: outcome}), operators=operator())
    assert found(proof) == [(verdict, grant)]
    text = shown(proof)
    assert "not proven" in text
    assert grant.identity in text.split("could not tell", 1)[-1]


def test_an_operators_difference_is_named_too() -> None:
    grant = Grant("operator", "key", "payload", "decrypt")
    proof = Proof(DECLARED, reports(), operators=operator({grant: "allowed"}))
    assert found(proof) == [("wider", grant)]
    assert "WIDER than declared: operator: decrypt key payload" in shown(proof)


def test_an_operator_that_nobody_spoke_for_is_said_to_be_not_asked() -> None:
    proof = Proof(DECLARED, reports())
    assert proof.differences() == []
    assert proof.not_asked == OPERATORS
    for name in OPERATORS:
        assert f"{name}: not asked" in shown(proof)


def test_an_app_that_does_not_answer_leaves_what_only_it_knows_untold() -> None:
    there = [report for report in reports() if report.app != "tracker"]
    proof = Proof(DECLARED, there, {"tracker": "no answer (TimeoutError)"}, operator())
    lines = proof.differences()
    assert {line.verdict for line in lines} == {"could not tell"}
    # Everybody's token there, and all that only its own identities could try.
    assert {line.grant.object for line in lines if line.grant.kind == "app"} == {"tracker"}
    tried = {line.grant.identity for line in lines if line.grant.kind != "app"}
    assert tried == attached("tracker") - attached("sender") - attached("receiver")
    text = shown(proof)
    assert "tracker did not answer: no answer (TimeoutError)" in text
    assert "could not tell: tracker_bus:" not in text, "it is a consequence, and counted"


def test_an_identity_that_one_app_has_lost_is_narrower_there_alone() -> None:
    token = Grant("database", "app", "sender", "token")
    assert found(Proof(DECLARED, reports({token: "refused"}), operators=operator())) == [
        ("narrower", token)
    ]


def test_what_one_app_could_not_tell_another_may() -> None:
    grant = Grant("database", "secret", "database-connection", "get")
    sender, *others = reports({grant: "could not tell"})
    usual = next(report for report in reports() if report.app == "tracker")
    both = [sender, usual, *(one for one in others if one.app != "tracker")]
    assert found(Proof(DECLARED, both, operators=operator())) == []


def test_two_apps_that_tell_otherwise_are_told_by_the_graver() -> None:
    grant = Grant("database", "secret", "partner-connection", "get")
    wider = next(report for report in reports({grant: "allowed"}) if report.app == "tracker")
    others = [report for report in reports() if report.app != "tracker"]
    (line,) = Proof(DECLARED, [*others, wider], operators=operator()).differences()
    assert (line.verdict, line.grant, line.where) == ("wider", grant, ("tracker",))


def test_an_identity_that_the_declaration_does_not_know_is_wider() -> None:
    token = Grant("stranger", "app", "sender", "token")
    sender, *others = reports()
    more = replace(
        sender, results=(*sender.results, ProbeResult(token, "sender", "allowed", "token"))
    )
    verdicts = found(Proof(DECLARED, [more, *others], operators=operator()))
    assert ("wider", token) in verdicts


def test_an_app_of_another_declaration_is_told() -> None:
    first, *others = reports()
    proof = Proof(DECLARED, [replace(first, digest="other"), *others], operators=operator())
    assert proof.of_another == (first.app,)
    assert "another access.json" in shown(proof)
    assert Proof(DECLARED, [replace(first, digest=None), *others]).of_another == ()


def answer(**changes: object) -> dict[str, Any]:
    finding = {"identity": "encrypt", "kind": "key", "object": "payload", "operation": "encrypt"}
    finding |= {"actual": "allowed", "detail": "200"}
    objects = {
        "keys": ["https://p.vault.azure.net/keys/payload"],
        "secrets": [],
        "queues": ["messages"],
    }
    usual = {"app": "sender", "declaration": "d", "findings": [finding], "objects": objects}
    return usual | changes


def test_an_answer_is_read() -> None:
    report = Report.from_json("sender", answer())
    (one,) = report.results
    assert one == ProbeResult(
        Grant("encrypt", "key", "payload", "encrypt"), "sender", "allowed", "200"
    )
    assert report.objects.keys[0].name == "payload"


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        "text",
        answer(app="receiver"),
        answer(findings=[{}]),
        answer(findings=None),
        answer(findings=[answer()["findings"][0] | {"actual": "yes"}]),
        answer(findings=[answer()["findings"][0] | {"kind": "vault"}]),
        answer(findings=[answer()["findings"][0] | {"kind": []}]),
        answer(findings=[answer()["findings"][0] | {"operation": "token"}]),
        answer(
            findings=[
                answer()["findings"][0] | {"kind": "app", "operation": "token", "object": "tracker"}
            ]
        ),
        answer(objects={}),
        answer(objects={"keys": ["http://evil/keys/x"], "secrets": [], "queues": []}),
    ],
)
def test_an_answer_of_another_form_is_none(body: object) -> None:
    with pytest.raises(NoAnswerError):
        Report.from_json("sender", body)


def test_control_characters_of_an_answer_do_not_reach_the_terminal() -> None:
    evil = Grant("evil\x1b[2J", "app", "sender", "token")
    sender, *others = reports()
    more = replace(
        sender, results=(*sender.results, ProbeResult(evil, "sender", "allowed", "\x1b]0;x\x07"))
    )
    assert "\x1b" not in shown(Proof(DECLARED, [more, *others], operators=operator()))


def test_the_json_says_all_of_it() -> None:
    grant = Grant("encrypt", "key", "payload", "get")
    proof = Proof(DECLARED, reports({grant: "allowed"}), operators=operator())
    told = json.loads(json.dumps(as_json(proof, [])))
    assert told["proven"] is False
    (one,) = told["differences"]
    assert one["verdict"] == "wider"
    assert (one["identity"], one["operation"], one["object"]) == ("encrypt", "get", "payload")
    assert one in told["tried"]
    assert told["unused"] == []


def uses_of_everything() -> list[GrantUse]:
    homes = {name: {name} for name in OPERATORS}
    for grant in DECLARED.grants:
        if grant.kind == "app":
            homes.setdefault(grant.identity, set()).add(grant.object)
    return [
        GrantUse(grant, frozenset(homes[grant.identity]))
        for grant in DECLARED.grants | DECLARED.unprobed
        if grant.kind != "app" and grant.identity in homes
    ]


def test_a_grant_that_is_used_is_needed() -> None:
    assert unused(DECLARED, uses_of_everything()) == []


def test_a_grant_that_nobody_used_is_not_needed() -> None:
    idle = Grant("receiver_bus", "queue", "retries", "send")
    uses = [use for use in uses_of_everything() if use.grant != idle]
    assert unused(DECLARED, uses) == [idle]
    proof = Proof(DECLARED, reports(), operators=operator())
    assert "not needed: receiver_bus: send queue retries" in shown(proof, [idle])


@pytest.mark.parametrize("idle", sorted(DECLARED.unprobed), ids=str)
def test_a_grant_that_nothing_tries_is_looked_for_among_the_used_all_the_same(idle: Grant) -> None:
    assert unused(DECLARED, [use for use in uses_of_everything() if use.grant != idle]) == [idle]


def test_an_identity_that_an_app_never_used_need_not_be_attached_there() -> None:
    uses = [
        replace(use, by=frozenset({"sender"})) if use.grant.identity == "database" else use
        for use in uses_of_everything()
    ]
    assert unused(DECLARED, uses) == [Grant("database", "app", "tracker", "token")]


def test_what_the_local_cloud_says_of_uses_is_read() -> None:
    (use,) = GrantUse.from_json(
        [
            {
                "identity": "encrypt",
                "kind": "key",
                "object": "payload",
                "operation": "encrypt",
                "count": 12,
                "last": "2026-11-24T00:01:02.345+00:00",
                "apps": {"sender": 12},
            }
        ]
    )
    assert use == GrantUse(Grant("encrypt", "key", "payload", "encrypt"), frozenset({"sender"}))
    named = {"identity": "x", "kind": "secret", "object": "y", "operation": "versions", "apps": {}}
    assert GrantUse.from_json([named])[0].grant == Grant("x", "secret", "y", "list")
    with pytest.raises(NoAnswerError):
        GrantUse.from_json({"error": "x"})

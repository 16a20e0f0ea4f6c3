"""With a wrong setting an app takes nothing, and its health says which one and what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from shared.settings.settings import APPS
from tests.integration.test_function_app import ROOT, environment

PROGRAM = """
import json
import azure.functions as func
import function_app
problems = []
for function in function_app.app.get_functions():
    trigger = function.get_trigger().get_dict_repr()
    request = func.HttpRequest("GET", "/api/health", body=b"")
    answer = function.get_user_function()(request) if trigger["route"] == "health" else None
    problems.append({
        "name": function.get_function_name(),
        "route": trigger["route"],
        "methods": [str(method) for method in trigger["methods"]],
        "level": str(trigger["authLevel"]),
        "status": answer and answer.status_code,
        "type": answer and answer.mimetype,
        "body": answer and json.loads(answer.get_body()),
    })
print(json.dumps(problems))
"""
PLANTED = "planted/Secret+value="
_GUID = "must be the client id of a managed identity, a GUID"
_NUMBER = "must be a whole number from"


@dataclass(frozen=True)
class Refusal:
    problems: list[str]
    log: str


def refused(settings: dict[str, str]) -> Refusal:
    """Index the app with these settings: it must be health alone, and say what is wrong."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        check=True,
    )
    (only,) = json.loads(run.stdout)
    assert (only["name"], only["route"]) == ("health", "health")
    assert only["level"].upper().endswith("ANONYMOUS")
    assert {method.rpartition(".")[2] for method in only["methods"]} == {"GET", "HEAD"}
    assert only["status"] == 503
    assert only["type"] == "application/problem+json"
    body = only["body"]
    assert body["status"] == 503
    assert "correct those" in body["detail"]
    assert PLANTED not in run.stdout + run.stderr
    return Refusal(body["problems"], run.stderr)


MALFORMED = {
    "sender": [
        ("RELAY_IDENTITY_ENCRYPT", _GUID),
        ("RELAY_KEY_PAYLOAD", "RELAY_KEY_PAYLOAD must"),
        ("RELAY_SECRET_DATABASE_CONNECTION", "RELAY_SECRET_DATABASE_CONNECTION must"),
        ("RELAY_QUEUE_MESSAGES", "must be the name of a queue"),
        ("RELAY_BUS__fullyQualifiedNamespace", "must be a host name"),
        ("RELAY_STATUS_URL", "must look like https://host"),
        ("RELAY_MAX_PAYLOAD_BYTES", _NUMBER),
        ("RELAY_CA_BUNDLE", "must be the path of a file that exists"),
        ("RELAY_BUS_ENDPOINT", "must look like sb://host:port"),
        ("RELAY_ACCESS", "must be true or false"),
        ("RELAY_ACCESS_IDENTITY_DECRYPT", _GUID),
        ("RELAY_ACCESS_QUEUE_RETRIES", "must be the name of a queue"),
    ],
    "receiver": [
        ("RELAY_BUS__credential", "must be managedidentity"),
        ("RELAY_BUS__clientId", _GUID),
        ("RELAY_IDENTITY_RECEIVER_BUS", _GUID),
        ("RELAY_QUEUE_DEAD_LETTERS", "must be the name of a queue"),
        ("RELAY_RETRY_SCHEDULE", "must be delays from 1s to 24h"),
        ("RELAY_PARTNER_TIMEOUT_SECONDS", "must be a whole number from 1 to 60"),
        ("RELAY_SECRET_PARTNER_CONNECTION", "RELAY_SECRET_PARTNER_CONNECTION must"),
    ],
    "tracker": [
        ("RELAY_IDENTITY_DATABASE", _GUID),
        ("RELAY_BUS__credential", "must be managedidentity"),
        ("RELAY_QUEUE_REJECTED", "must be the name of a queue"),
        ("RELAY_RECEIPT_WAIT_SECONDS", "must be a whole number from 1 to 240"),
    ],
}
MISSING = {
    "sender": ["RELAY_KEY_PAYLOAD", "RELAY_IDENTITY_SENDER_BUS", "RELAY_QUEUE_MESSAGES"],
    "receiver": ["RELAY_QUEUE_DEAD_LETTERS", "RELAY_BUS__clientId", "RELAY_IDENTITY_PARTNER"],
    "tracker": ["RELAY_QUEUE_RECEIPTS", "RELAY_BUS__fullyQualifiedNamespace"],
}


@pytest.mark.parametrize("app", list(MALFORMED))
def test_a_malformed_setting_is_named_and_its_value_is_not(app: str) -> None:
    wrong = dict.fromkeys((name for name, _ in MALFORMED[app]), PLANTED)
    found = refused(environment(app) | wrong)
    assert {problem.partition(" ")[0] for problem in found.problems} == set(wrong)
    for name, said in MALFORMED[app]:
        (problem,) = (one for one in found.problems if one.startswith(f"{name} "))
        assert said in problem
        assert f"  {problem}\n" in found.log + "\n"
    assert found.log.count("settings are wrong") == 1


@pytest.mark.parametrize("app", list(MISSING))
def test_a_missing_setting_is_named_with_what_it_is(app: str) -> None:
    settings = environment(app)
    for name in MISSING[app]:
        del settings[name]
    found = refused(settings)
    assert {one.partition(" is missing: ")[0] for one in found.problems} == set(MISSING[app])


@pytest.mark.parametrize("app", list(MISSING))
def test_an_unknown_setting_is_named_with_what_was_meant(app: str) -> None:
    found = refused(environment(app) | {"RELAY_BUS_ENDPONT": PLANTED, "RELAY_BUS": PLANTED})
    assert found.problems[1] == (
        "RELAY_BUS_ENDPONT is not a setting of this app; did you mean RELAY_BUS_ENDPOINT?"
    )
    assert found.problems[0].startswith("RELAY_BUS is not a setting of this app")


@pytest.mark.parametrize("app", ["", "planted/Secret+value=", "sender,planted", "Sender", ",", " "])
def test_a_wrong_app_is_named(app: str) -> None:
    found = refused(environment("sender") | {"RELAY_APP": app})
    assert found.problems[0].startswith(f"RELAY_APP must be one of {', '.join(APPS)}")


def test_no_app_at_all_is_named() -> None:
    settings = environment("receiver")
    del settings["RELAY_APP"]
    assert refused(settings).problems[0].startswith("RELAY_APP must be one of")


def test_of_several_apps_each_ones_settings_are_named() -> None:
    settings = environment("sender") | environment("tracker") | {"RELAY_APP": "sender, tracker"}
    del settings["RELAY_QUEUE_RECEIPTS"]
    settings["RELAY_IDENTITY_ENCRYPT"] = PLANTED
    named = {problem.partition(" ")[0] for problem in refused(settings).problems}
    assert named == {"RELAY_QUEUE_RECEIPTS", "RELAY_IDENTITY_ENCRYPT"}


def test_the_mistakes_in_all_settings_are_reported_at_once() -> None:
    wrong = {name: PLANTED for name in environment("receiver") if name.startswith("RELAY_")}
    found = refused(environment("receiver") | wrong | {"RELAY_APP": "receiver"})
    assert len(found.problems) > 20

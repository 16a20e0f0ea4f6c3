"""host.json, triggers, queues and settings fit, and what is planted among them is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checks.hosting import ROOT, Bindings, Deployed, deployed_in, indexed, problems
from checks.infra import INFRA
from shared.settings.settings import AppSettings, ReceiverSettings, TrackerSettings

HOST: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
DEPLOYED, ENVIRONMENTS = deployed_in(INFRA / "local.snapshot.json")


@pytest.fixture(scope="module")
def functions() -> Bindings:
    return indexed(ENVIRONMENTS)


def test_what_is_deployed_fits(functions: Bindings) -> None:
    for path in INFRA.glob("*.snapshot.json"):
        assert problems(HOST, functions, deployed_in(path)[0]) == []


def bus(host: dict[str, Any]) -> dict[str, Any]:
    section: dict[str, Any] = host["extensions"]["serviceBus"]
    return section


def host(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    changed = copy.deepcopy(HOST)
    change(changed)
    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: bus(h).update(maxMessageBatchSize=100), "serviceBus.maxMessageBatchSize never"),
        (lambda h: bus(h).update(MAXMESSAGEBATCHSIZE=1), "serviceBus.MAXMESSAGEBATCHSIZE never"),
        (lambda h: bus(h).update(autoCompleteMessages=True), "set auto_complete_messages in"),
        (lambda h: h["logging"]["logLevel"].pop("Azure"), "logLevel.Azure must be Warning"),
        (lambda h: h["logging"]["logLevel"].update(Azure="Trace"), "logLevel.Azure must be"),
        (lambda h: h.pop("telemetryMode"), "telemetryMode"),
        (lambda h: h.update(functionTimeout="-1"), "functionTimeout must end"),
        (lambda h: h.update(functionTimeout="00:04:00"), "a call of the receiver 285 s"),
        (lambda h: h.update(functionTimeout="00:04:00"), "a batch may take 285 s"),
        (lambda h: bus(h).update(maxBatchWaitTime="00:00:30"), "a batch may take 315 s"),
        (lambda h: h.update(functionTimeout="00:10:00"), "would be delivered twice"),
        (
            lambda h: bus(h).update(maxAutoLockRenewalDuration="00:01:00"),
            "would be delivered twice",
        ),
    ],
)
def test_a_mistake_in_host_json_is_named(
    functions: Bindings, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    found = problems(host(change), functions, DEPLOYED)
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    ("function", "name", "value", "said"),
    [
        ("record", "dataType", None, "function record does not take bytes"),
        ("receive", "dataType", "STRING", "function receive does not take bytes"),
        ("triage", "dataType", 1, "function triage does not take bytes"),
        ("record", "autoCompleteMessages", None, "auto_complete_messages=True"),
        ("receive", "autoCompleteMessages", False, "auto_complete_messages=True"),
        ("record", "maxMessageBatchSize", None, "function record lacks max_message_batch"),
    ],
)
def test_what_a_trigger_does_not_say_is_named(
    functions: Bindings, function: str, name: str, value: object, said: str
) -> None:
    (binding,) = functions[function]
    changed = {key: given for key, given in binding.items() if key != name}
    changed |= {} if value is None else {name: value}
    found = problems(HOST, {**functions, function: [changed]}, DEPLOYED)
    assert any(said in problem for problem in found), found


def with_settings(kind: type[AppSettings], **changes: int) -> Deployed:
    changed = [
        replace(one, **changes) if isinstance(one, kind) else one  # type: ignore[arg-type]
        for one in DEPLOYED.settings
    ]
    return Deployed(DEPLOYED.queues, changed)


def with_queue(name: str, **changes: Any) -> Deployed:
    queues = {**DEPLOYED.queues, name: replace(DEPLOYED.queues[name], **changes)}
    return Deployed(queues, DEPLOYED.settings)


@pytest.mark.parametrize(
    ("deployed", "said"),
    [
        (with_settings(TrackerSettings, receipt_wait_seconds=270), "locks it for 300 s"),
        (with_settings(TrackerSettings, receipt_wait_seconds=290), "functionTimeout is 300 s"),
        (with_settings(TrackerSettings, receipt_wait_seconds=5), "receipts wait only 13:53:20"),
        (with_queue("receipts", lock_duration=timedelta(minutes=1)), "locks it for 60 s"),
        (with_queue("receipts", max_delivery_count=1), "receipts wait only"),
        (with_settings(ReceiverSettings, max_deliveries=2000), "messages gives up after 2000"),
        (with_queue("messages", max_delivery_count=9), "queue messages gives up after 9"),
        (with_queue("dead-letters", max_delivery_count=5), "queue dead-letters gives up after 5"),
        (with_queue("messages", max_delivery_count=1000), "they wait only 1 day, 17:40:00"),
        (with_queue("retries", max_delivery_count=10), "queue retries delivers 10 times"),
    ],
)
def test_a_deployment_that_does_not_fit_is_named(
    functions: Bindings, deployed: Deployed, said: str
) -> None:
    found = problems(HOST, functions, deployed)
    assert any(said in problem for problem in found), found

"""Whether host.json, the triggers, the queues and the settings agree.

`python -m checks.hosting`: which settings of host.json reach a Python function at all, and whether
what a function may wait for fits into the lock of its queue and the time that the host gives it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from checks.infra import INFRA
from local.deployment.deployment import load as load_deployment
from local.deployment.deployment import settings_of
from local.deployment.resources import QueueSpec
from local.host.host_json import HostJson, ServiceBusOptions
from shared.apps.receiver import CALL_SECONDS
from shared.apps.receiver_queues import HOLD_SECONDS
from shared.apps.recorder import PAUSE_SECONDS, SET_ASIDE_SECONDS
from shared.apps.triage import MAX_RETURNS
from shared.concurrency.holding import LONGEST_PAUSE_AFTER_FAILURE
from shared.settings.environment import load
from shared.settings.settings import AppSettings, ReceiverSettings, TrackerSettings

ROOT = Path(__file__).resolve().parents[1]
_MARGIN = 10.0  # seconds: for what goes by between the bus, the host and the function
_PATIENCE = timedelta(days=7)  # so long at least receipts wait for a database
_REFUSAL_PATIENCE = timedelta(days=3)  # so long at least messages wait for a queue that refuses
# The worker library writes these into each trigger, so that those of host.json never count.
# Source: Microsoft.Azure.WebJobs.Extensions.ServiceBus, `ServiceBusTriggerAttributeBindingProvider`
# (an attribute's own value goes before the options), and seen on the real host. The others of
# `ServiceBusOptions`, such as prefetchCount, maxConcurrentCalls and maxAutoLockRenewalDuration,
# are in host.json alone, and count.
_OF_THE_DECORATOR = {
    "autocompletemessages": "auto_complete_messages",
    "maxmessagebatchsize": "max_message_batch_size",
    "maxmessages": "max_message_batch_size",
}
_PROGRAM = """
import json, function_app
print(json.dumps({
    function.get_function_name(): [json.loads(one) for one in function.get_raw_bindings()]
    for function in function_app.app.get_functions()
}))
"""

Bindings = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Deployed:
    """One deployment: its queues by name, and the settings of each app."""

    queues: Mapping[str, QueueSpec]
    settings: Sequence[AppSettings]


def problems(document: Mapping[str, Any], functions: Bindings, deployed: Deployed) -> list[str]:
    """Return what contradicts; `document` is host.json, `functions` their bindings by name."""
    return [
        *_without_effect(document),
        *_without_required(functions),
        *_telemetry(document),
        *_times(HostJson.parse(document), deployed),
    ]


def _section(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return an object of host.json, by names in any case as the host takes them."""
    for name in path:
        found: Any = next((v for key, v in document.items() if key.lower() == name.lower()), {})
        document = found if isinstance(found, dict) else {}
    return document


def _without_effect(document: Mapping[str, Any]) -> Iterator[str]:
    for name in _section(document, "extensions", "serviceBus"):
        if keyword := _OF_THE_DECORATOR.get(name.lower()):
            yield (
                f"host.json: extensions.serviceBus.{name} never reaches a Python function: "
                f"set {keyword} in the decorators instead"
            )


def _without_required(functions: Bindings) -> Iterator[str]:
    triggers = (
        (name, binding)
        for name, bindings in functions.items()
        for binding in bindings
        if str(binding.get("type", "")).lower() == "servicebustrigger"
    )
    for name, trigger in triggers:
        if str(trigger.get("dataType", "")).lower() not in ("binary", "2"):
            yield f"function {name} does not take bytes: the host would change or refuse bodies"
        if trigger.get("autoCompleteMessages") is not True:
            yield f"function {name} lacks auto_complete_messages=True"
        many = str(trigger.get("cardinality", "one")).lower() == "many"
        if many and not isinstance(trigger.get("maxMessageBatchSize"), int):
            yield f"function {name} lacks max_message_batch_size: it would be 1000"


def _telemetry(document: Mapping[str, Any]) -> Iterator[str]:
    levels = {
        key.lower(): value for key, value in _section(document, "logging", "logLevel").items()
    }
    if str(levels.get("azure", "")).lower() not in ("warning", "error"):
        yield "host.json: logging.logLevel.Azure must be Warning: the SDKs log every request"
    if not HostJson.parse(document).is_open_telemetry:
        yield "host.json: telemetryMode must be OpenTelemetry: else each trace ends at the bus"


def _times(host: HostJson, deployed: Deployed) -> Iterator[str]:
    if host.function_timeout is None:
        yield "host.json: functionTimeout must end: a call that hangs would keep its lock for good"
        return
    limit = host.function_timeout.total_seconds()
    renewal = host.service_bus.max_auto_lock_renewal.total_seconds()
    for settings in deployed.settings:
        if isinstance(settings, ReceiverSettings):
            yield from _of_receiver(settings, deployed.queues, limit, renewal)
        if isinstance(settings, TrackerSettings):
            queue = deployed.queues[settings.receipts_queue]
            yield from _of_tracker(settings, queue, limit, host.service_bus)


def _of_receiver(
    settings: ReceiverSettings, queues: Mapping[str, QueueSpec], limit: float, renewal: float
) -> Iterator[str]:
    longest = CALL_SECONDS + LONGEST_PAUSE_AFTER_FAILURE + _MARGIN
    if longest > limit:
        yield f"host.json: functionTimeout is {limit:.0f} s, a call of the receiver {longest:.0f} s"
    if renewal < limit:
        yield (
            f"host.json: maxAutoLockRenewalDuration is {renewal:.0f} s: "
            f"a call may take {limit:.0f} s, and its message would be delivered twice"
        )
    received = (settings.messages_queue, settings.retries_queue, settings.dead_letters_queue)
    for queue in (queues[name] for name in received):
        patience = timedelta(seconds=HOLD_SECONDS * queue.max_delivery_count)
        if patience < _REFUSAL_PATIENCE:
            yield (
                f"queue {queue.name} delivers {queue.max_delivery_count} times: while the next "
                f"queue refuses its messages, they wait only {patience}"
            )
        if settings.max_deliveries >= queue.max_delivery_count:
            yield (
                f"RELAY_MAX_DELIVERIES is {settings.max_deliveries}: queue {queue.name} gives up "
                f"after {queue.max_delivery_count}, before the receiver could reject with a reason"
            )


def _of_tracker(
    settings: TrackerSettings, queue: QueueSpec, limit: float, options: ServiceBusOptions
) -> Iterator[str]:
    wait = settings.receipt_wait_seconds
    # The first message of a batch is locked while the host waits for more.
    filling = options.max_batch_wait.total_seconds() if options.min_batch > 1 else 0.0
    longest = filling + wait + SET_ASIDE_SECONDS + PAUSE_SECONDS + _MARGIN
    lock = queue.lock_duration.total_seconds()
    if longest > lock:
        yield (
            f"RELAY_RECEIPT_WAIT_SECONDS is {wait}: a batch may take {longest:.0f} s, and queue "
            f"{queue.name} locks it for {lock:.0f} s, without renewal"
        )
    if longest > limit:
        yield (
            f"RELAY_RECEIPT_WAIT_SECONDS is {wait}: a batch may take {longest:.0f} s, "
            f"functionTimeout is {limit:.0f} s"
        )
    patience = timedelta(seconds=wait * queue.max_delivery_count * MAX_RETURNS)
    if patience < _PATIENCE:
        yield (
            f"RELAY_RECEIPT_WAIT_SECONDS is {wait}: with {queue.max_delivery_count} deliveries and "
            f"{MAX_RETURNS} returns, receipts wait only {patience} for their database"
        )


def deployed_in(path: Path) -> tuple[Deployed, Mapping[str, Mapping[str, str]]]:
    """Read a snapshot; also return the environment of each app."""
    deployment = load_deployment(path)
    vaults = {v.resource_id: f"https://{v.name}.vault.azure.net/" for v in deployment.vaults}
    environments = {app.app: settings_of(app, vaults) for app in deployment.apps}
    queues = {queue.name: queue for bus in deployment.namespaces for queue in bus.queues}
    settings = [one for each in environments.values() for one in load(each).values()]
    return Deployed(queues, settings), environments


def indexed(environments: Mapping[str, Mapping[str, str]]) -> Bindings:
    """Return the bindings of all functions of all apps, as a process of each declares them."""
    found: dict[str, Sequence[Mapping[str, Any]]] = {}
    for environment in environments.values():
        run = subprocess.run(  # noqa: S603 - our own program, in our own interpreter
            [sys.executable, "-c", _PROGRAM],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        found |= json.loads(run.stdout)
    return found


def main() -> int:
    """Check every deployment; 1 if there is a problem."""
    document = json.loads((ROOT / "host.json").read_text())
    paths = sorted(INFRA.glob("*.snapshot.json"))
    functions = indexed(deployed_in(paths[0])[1])
    found = {
        f"{path.name.removesuffix('.snapshot.json')}: {problem}"
        for path in paths
        for problem in problems(document, functions, deployed_in(path)[0])
    }
    print("\n".join(sorted(found)) or f"hosting: host.json fits {len(paths)} deployments")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

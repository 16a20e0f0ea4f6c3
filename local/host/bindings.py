"""What the functions of an app are bound to, read from the bindings they declare."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from local.host.errors import AppRefusedError
from local.host.keys import AuthLevel, auth_level_of
from local.host.message_body import DataType
from local.host.routes import Route
from local.host.settings import Connection, Settings

_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_MAX_BATCH = 1000  # MaxMessageBatchSize of ServiceBusTriggerAttribute, as the host logs it


@dataclass(frozen=True)
class HttpFunction:
    """A function called for each request to a route; `methods` are upper case.

    `level` is what it requires of a caller's key.
    """

    name: str
    parameter: str
    route: Route
    methods: frozenset[str]
    level: AuthLevel = AuthLevel.FUNCTION


@dataclass(frozen=True)
class QueueFunction:
    """A function called for each message of a queue, or for several at once if `many`.

    `max_batch` and `completes` are the trigger's own: the decorator writes its defaults into
    the binding's attribute, so that those of host.json have no effect for a Python function.
    """

    name: str
    parameter: str
    queue: str
    connection: Connection
    data_type: DataType
    many: bool
    max_batch: int = _MAX_BATCH
    completes: bool = True

    @property
    def label(self) -> str:
        """What the log calls it."""
        return f"'Functions.{self.name}' on queue '{self.queue}'"


BoundFunction = HttpFunction | QueueFunction


def bind(
    functions: Iterable[tuple[str, Sequence[str]]], settings: Settings
) -> tuple[BoundFunction, ...]:
    """Read the bindings of all functions, each a JSON object, as the worker found them.

    Raises AppRefusedError, which names the function and the binding.
    """
    bound = tuple(_bind(name, bindings, settings) for name, bindings in functions)
    names = [function.name.lower() for function in bound]
    for name in names:
        if names.count(name) > 1:
            raise AppRefusedError(f"function '{name}' is declared more than once")
    return bound


def _bind(name: str, given: Sequence[str], settings: Settings) -> BoundFunction:
    try:
        trigger = _trigger([_object(text) for text in given])
        if trigger["type"] == "httpTrigger":
            return _http(name, trigger)
        return _queue(name, trigger, settings)
    except AppRefusedError as refusal:
        raise AppRefusedError(f"function '{name}': {refusal}") from None


def _trigger(bindings: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    for binding in bindings:
        _check_kind(binding)
    triggers = [b for b in bindings if b["type"] != "http"]
    if len(triggers) != 1:
        raise AppRefusedError(f"it has {len(triggers)} triggers instead of one")
    if len(bindings) > 1 and triggers[0]["type"] != "httpTrigger":
        raise AppRefusedError("binding '$return' of type 'http' needs an HTTP trigger")
    return triggers[0]


def _object(text: str) -> Mapping[str, object]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise AppRefusedError(f"a binding is not an object: {text}")
    return value


def _check_kind(binding: Mapping[str, object]) -> None:
    kind, name = binding.get("type"), binding.get("name")
    known = kind in {"httpTrigger", "serviceBusTrigger"} or (kind == "http" and name == "$return")
    if not known:
        raise AppRefusedError(f"binding '{name}' of type '{kind}' is not supported by this host")


def _http(name: str, trigger: Mapping[str, object]) -> HttpFunction:
    given = trigger.get("methods")
    methods = (
        [str(method).upper() for method in given] if isinstance(given, list) and given else _METHODS
    )
    route = Route.parse(str(trigger.get("route") or name).strip("/"))
    try:
        level = auth_level_of(trigger)
    except ValueError:
        raise AppRefusedError(f"authLevel {trigger.get('authLevel')!r} is not known") from None
    return HttpFunction(name, str(trigger["name"]), route, frozenset(methods), level)


def _queue(name: str, trigger: Mapping[str, object], settings: Settings) -> QueueFunction:
    bound = f"binding '{trigger['name']}'"
    if not isinstance(trigger.get("queueName"), str):
        raise AppRefusedError(f"{bound}: topics are not supported by this host")
    cardinality = str(trigger.get("cardinality", "one")).lower()
    if cardinality not in {"one", "many"}:
        raise AppRefusedError(f"{bound}: cardinality '{cardinality}' is neither 'one' nor 'many'")
    if trigger.get("isSessionsEnabled"):
        raise AppRefusedError(f"{bound}: sessions are not supported by this host")
    data_type = str(trigger.get("dataType", DataType.UNDEFINED)).lower()
    if data_type not in set(DataType):
        raise AppRefusedError(f"{bound}: dataType '{data_type}' is not supported by this host")
    largest = trigger.get("maxMessageBatchSize", _MAX_BATCH)
    if not isinstance(largest, int) or largest < 1:
        raise AppRefusedError(f"{bound}: maxMessageBatchSize must be a number of at least 1")
    try:
        queue = settings.resolve(str(trigger["queueName"]))
        connection = settings.connection(str(trigger.get("connection", "AzureWebJobsServiceBus")))
    except AppRefusedError as refusal:
        raise AppRefusedError(f"{bound}: {refusal}") from None
    return QueueFunction(
        name,
        str(trigger["name"]),
        queue,
        connection,
        DataType(data_type),
        many=cardinality == "many",
        max_batch=largest,
        completes=trigger.get("autoCompleteMessages") is not False,
    )

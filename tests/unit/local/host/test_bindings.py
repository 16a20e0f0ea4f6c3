from __future__ import annotations

from collections.abc import Callable, Sequence

import azure.functions as func
import pytest

from local.host.bindings import BoundFunction, HttpFunction, QueueFunction, bind
from local.host.errors import AppRefusedError
from local.host.message_body import DataType
from local.host.route_table import make_route_table
from local.host.settings import IdentityConnection, Settings

SETTINGS = Settings(
    {
        "QUEUE_IN": "messages",
        "BUS__fullyQualifiedNamespace": "ns.servicebus.windows.net",
        "BUS__credential": "managedidentity",
        "BUS__clientId": "c1",
    }
)
Declare = Callable[[func.Blueprint], None]


def bound(declare: Declare) -> tuple[BoundFunction, ...]:
    app, blueprint = func.FunctionApp(), func.Blueprint()
    declare(blueprint)
    app.register_functions(blueprint)
    functions = app.get_functions()
    indexed = [(str(one.get_function_name()), one.get_raw_bindings()) for one in functions]
    return bind(indexed, SETTINGS)


def test_an_http_function_with_route_and_methods() -> None:
    def declare(blueprint: func.Blueprint) -> None:
        @blueprint.route(
            route="messages/{id:guid}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
        )
        async def look(req: func.HttpRequest) -> str:
            return ""

    [function] = bound(declare)
    assert isinstance(function, HttpFunction)
    assert (function.name, function.parameter) == ("look", "req")
    assert function.route.template == "messages/{id:guid}"
    assert function.methods == frozenset({"GET"})


def test_without_route_and_methods_it_is_the_name_and_any_method() -> None:
    def declare(blueprint: func.Blueprint) -> None:
        @blueprint.function_name("health")
        @blueprint.route()
        def check(req: func.HttpRequest) -> str:
            return ""

    [function] = bound(declare)
    assert isinstance(function, HttpFunction)
    assert function.route.template == "health"
    assert {"GET", "POST", "DELETE"} < function.methods


def test_a_queue_function_takes_queue_and_connection_from_the_settings() -> None:
    def declare(blueprint: func.Blueprint) -> None:
        @blueprint.service_bus_queue_trigger("message", connection="BUS", queue_name="%QUEUE_IN%")
        async def take(message: func.ServiceBusMessage) -> None: ...

    [function] = bound(declare)
    assert isinstance(function, QueueFunction)
    assert (function.queue, function.data_type) == ("messages", DataType.UNDEFINED)
    assert function.connection == IdentityConnection("ns.servicebus.windows.net", "c1")


def test_a_queue_function_may_ask_for_bytes() -> None:
    def declare(blueprint: func.Blueprint) -> None:
        @blueprint.service_bus_queue_trigger(
            "message", connection="BUS", queue_name="q", data_type=func.DataType.BINARY
        )
        async def take(message: func.ServiceBusMessage) -> None: ...

    [function] = bound(declare)
    assert isinstance(function, QueueFunction)
    assert function.data_type is DataType.BINARY


def test_a_queue_function_may_ask_for_several_messages() -> None:
    def declare(blueprint: func.Blueprint) -> None:
        @blueprint.service_bus_queue_trigger(
            "messages", connection="BUS", queue_name="q", cardinality=func.Cardinality.MANY
        )
        async def take(messages: Sequence[func.ServiceBusMessage]) -> None: ...

    [function] = bound(declare)
    assert isinstance(function, QueueFunction)
    assert function.many
    assert (function.max_batch, function.completes) == (1000, True)


def test_a_queue_function_says_itself_how_large_a_batch_is_and_who_completes_it() -> None:
    def declare(blueprint: func.Blueprint) -> None:
        @blueprint.service_bus_queue_trigger(
            "messages",
            connection="BUS",
            queue_name="q",
            cardinality=func.Cardinality.MANY,
            data_type=func.DataType.STRING,
            auto_complete_messages=False,
            max_message_batch_size=7,
        )
        async def take(messages: Sequence[func.ServiceBusMessage]) -> None: ...

    [function] = bound(declare)
    assert isinstance(function, QueueFunction)
    assert (function.max_batch, function.completes) == (7, False)
    assert function.data_type is DataType.STRING


def blob(blueprint: func.Blueprint) -> None:
    @blueprint.blob_trigger("blob", "path", "BUS")
    def f(blob: func.InputStream) -> None: ...


def queue_output(blueprint: func.Blueprint) -> None:
    @blueprint.service_bus_queue_output("out", connection="BUS", queue_name="q")
    @blueprint.route()
    def f(req: func.HttpRequest, out: func.Out[str]) -> str:
        return ""


def topic(blueprint: func.Blueprint) -> None:
    @blueprint.service_bus_topic_trigger("message", "BUS", "t", "s")
    def f(message: func.ServiceBusMessage) -> None: ...


def sessions(blueprint: func.Blueprint) -> None:
    @blueprint.service_bus_queue_trigger("message", "BUS", "q", is_sessions_enabled=True)
    def f(message: func.ServiceBusMessage) -> None: ...


def unknown_setting(blueprint: func.Blueprint) -> None:
    @blueprint.service_bus_queue_trigger("message", "BUS", "%NOTHERE%")
    def f(message: func.ServiceBusMessage) -> None: ...


def routed(*routes: tuple[str, list[str] | None]) -> Declare:
    def declare(blueprint: func.Blueprint) -> None:
        for number, (route, methods) in enumerate(routes):

            @blueprint.function_name(f"f{number}")
            @blueprint.route(route, methods=methods)
            def f(req: func.HttpRequest) -> str:
                return ""

    return declare


@pytest.mark.parametrize(
    "routes",
    [
        [("/Messages/{id}", ["GET"]), ("messages/{id}/", ["POST", "GET"])],
        [("messages", None), ("messages", ["GET"])],
        [("messages", ["GET"]), ("messages", [])],
        [("admin", ["GET"])],
        [("administrators/{id}", ["GET"])],
        [("/Runtime/x", ["GET"])],
    ],
)
def test_a_route_that_the_host_refuses_costs_one_function(
    routes: list[tuple[str, list[str] | None]],
) -> None:
    functions = [one for one in bound(routed(*routes)) if isinstance(one, HttpFunction)]
    table = make_route_table(functions, "api")
    assert len(table.functions) == len(routes) - 1
    (problem,) = table.in_error.values()
    assert "conflicts" in problem


def test_routes_that_differ_in_place_or_method_are_taken() -> None:
    routes = [("a", ["GET"]), ("a", ["POST"]), ("a/{b}", ["GET"]), ("a/{c}", ["GET"])]
    assert len(bound(routed(*routes))) == len(routes)


@pytest.mark.parametrize(
    ("declare", "named"),
    [
        (blob, "blobTrigger"),
        (queue_output, "binding 'out' of type 'serviceBus'"),
        (topic, "binding 'message': topics"),
        (sessions, "binding 'message': sessions"),
        (unknown_setting, "NOTHERE"),
    ],
)
def test_what_is_not_supported_is_refused_by_function_and_binding(
    declare: Declare, named: str
) -> None:
    with pytest.raises(AppRefusedError, match=f"function 'f': .*{named}"):
        bound(declare)

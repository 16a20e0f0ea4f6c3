"""Which functions are served: azure-functions-host, ScriptHost.ValidateFunction."""

from __future__ import annotations

from local.host.bindings import HttpFunction
from local.host.route_table import make_route_table
from local.host.routes import Route

ALL = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE")


def function(name: str, route: str, *methods: str) -> HttpFunction:
    return HttpFunction(name, "req", Route.parse(route), frozenset(methods or ALL))


def test_the_same_route_is_given_once_for_each_method() -> None:
    functions = [
        function("d", "m/{id}/", "GET", "PUT"),
        function("c", "M/{ID}", "POST", "GET"),
        function("b", "m/{id}", "DELETE"),
        function("a", "m/{other}", "GET"),
    ]
    table = make_route_table(functions, "api")
    assert [one.name for one in table.functions] == ["a", "b", "c"]
    assert table.in_error == {
        "d": "The route specified conflicts with the route defined by function 'c'."
    }


def test_a_function_for_all_methods_conflicts_with_any() -> None:
    table = make_route_table([function("A", "x"), function("b", "x", "GET")], "")
    assert table.in_error.keys() == {"b"}


def test_the_hosts_own_routes_are_refused_and_the_others_run() -> None:
    names = ["admin", "Admin/x", "administrators", "runtime/webhooks/x", "ok", "m/admin"]
    table = make_route_table([function(name.replace("/", "_"), name) for name in names], "")
    assert table.in_error.keys() == {"admin", "Admin_x", "administrators", "runtime_webhooks_x"}
    assert set(table.in_error.values()) == {
        "The specified route conflicts with one or more built in routes."
    }


def test_the_first_by_name_is_taken_where_several_match() -> None:
    table = make_route_table(
        [function("z", "m/new"), function("Y", "m/{id}"), function("x", "m/{n:int}")], ""
    )
    for path, name in (("/m/new", "Y"), ("/m/1", "x"), ("/m/a", "Y")):
        found = table.find(path, "GET")
        assert found is not None
        assert found[0].name == name


def test_a_method_is_part_of_a_route() -> None:
    table = make_route_table([function("a", "m", "GET"), function("b", "m", "POST")], "api")
    found = table.find("/API/m/", "POST")
    assert found is not None
    assert found[0].name == "b"
    for method in ("PUT", "HEAD", "OPTIONS"):
        assert table.find("/api/m", method) is None

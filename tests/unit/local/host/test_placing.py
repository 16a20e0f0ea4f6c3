"""Which functions are served: azure-functions-host, ScriptHost.ValidateFunction."""

from __future__ import annotations

from local.host.bindings import HttpFunction
from local.host.placing import place
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
    placed = place(functions, "api")
    assert [one.name for one in placed.functions] == ["a", "b", "c"]
    assert placed.in_error == {
        "d": "The route specified conflicts with the route defined by function 'c'."
    }


def test_a_function_for_all_methods_conflicts_with_any() -> None:
    placed = place([function("A", "x"), function("b", "x", "GET")], "")
    assert placed.in_error.keys() == {"b"}


def test_the_hosts_own_routes_are_not_to_be_had_and_the_others_run() -> None:
    names = ["admin", "Admin/x", "administrators", "runtime/webhooks/x", "ok", "m/admin"]
    placed = place([function(name.replace("/", "_"), name) for name in names], "")
    assert placed.in_error.keys() == {"admin", "Admin_x", "administrators", "runtime_webhooks_x"}
    assert set(placed.in_error.values()) == {
        "The specified route conflicts with one or more built in routes."
    }


def test_the_first_by_name_is_taken_where_several_match() -> None:
    placed = place(
        [function("z", "m/new"), function("Y", "m/{id}"), function("x", "m/{n:int}")], ""
    )
    for path, name in (("/m/new", "Y"), ("/m/1", "x"), ("/m/a", "Y")):
        found = placed.find(path, "GET")
        assert found is not None
        assert found[0].name == name


def test_a_method_is_part_of_a_route() -> None:
    placed = place([function("a", "m", "GET"), function("b", "m", "POST")], "api")
    found = placed.find("/API/m/", "POST")
    assert found is not None
    assert found[0].name == "b"
    for method in ("PUT", "HEAD", "OPTIONS"):
        assert placed.find("/api/m", method) is None

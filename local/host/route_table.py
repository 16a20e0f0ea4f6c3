"""The HTTP functions that an app serves, and the one that a request is for.

As azure-functions-host does it: `ScriptHost.ValidateFunction`, `FunctionMetadataManager` (functions
are sorted by name) and `WebScriptHostHttpRoutesManager` (the first route that matches is taken).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from local.host.bindings import HttpFunction
from local.host.routes import Route, is_built_in, is_same_route


@dataclass(frozen=True)
class RouteTable:
    """The functions that are served, in the order of matching, and the errors of the others."""

    functions: Sequence[HttpFunction]
    in_error: Mapping[str, str]

    def find(self, path: str, method: str) -> tuple[HttpFunction, Mapping[str, str]] | None:
        """Return the function for a decoded path and a method, with its route parameters."""
        for function in self.functions:
            parameters = function.route.match(path)
            if parameters is not None and method in function.methods:
                return function, parameters
        return None


def make_route_table(functions: Iterable[HttpFunction], route_prefix: str) -> RouteTable:
    """Put functions below the prefix; one whose route is in use is in error, the others run."""
    kept: list[HttpFunction] = []
    in_error: dict[str, str] = {}
    for function in sorted(functions, key=lambda function: function.name.lower()):
        if problem := _problem(function, kept):
            in_error[function.name] = problem
        else:
            kept.append(function)
    served = [replace(one, route=_below(route_prefix, one.route)) for one in kept]
    return RouteTable(served, in_error)


def _problem(function: HttpFunction, before: Sequence[HttpFunction]) -> str | None:
    if is_built_in(function.route.template):
        return "The specified route conflicts with one or more built in routes."
    for other in before:
        if is_same_route(function.route.template, other.route.template) and (
            function.methods & other.methods
        ):
            return (
                f"The route specified conflicts with the route defined by function '{other.name}'."
            )
    return None


def _below(prefix: str, route: Route) -> Route:
    return Route.parse(f"{prefix}/{route.template}")

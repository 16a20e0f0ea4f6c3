from __future__ import annotations

import pytest

from local.host.errors import AppRefused
from local.host.routes import Route

GUID = "0b3d5b0e-6f5c-4a6e-8f2e-0b3d5b0e6f5c"


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("api/messages", "/api/messages", {}),
        ("api/messages", "/API/Messages/", {}),
        ("api/messages", "/api/messages/1", None),
        ("api/messages", "/api", None),
        ("api/messages/{id}", "/api/messages/a%20b", {"id": "a b"}),
        ("api/messages/{id}", "/api/messages/a%2Fb", {"id": "a/b"}),
        ("api/messages/{id}", "/api/messages", None),
        ("api/messages/{id?}", "/api/messages", {}),
        ("messages/{id:guid}", f"/messages/{GUID}", {"id": GUID}),
        ("messages/{id:guid}", "/messages/1", None),
        ("m/{n:int}", "/m/2147483647", {"n": "2147483647"}),
        ("m/{n:int}", "/m/2147483648", None),
        ("m/{n:long}", "/m/2147483648", {"n": "2147483648"}),
        ("m/{n:alpha}", "/m/abc", {"n": "abc"}),
        ("m/{n:alpha}", "/m/ab1", None),
        ("m/{*rest}", "/m/a/b/c", {"rest": "a/b/c"}),
        ("m/{a}/{b}", "/m/1/2", {"a": "1", "b": "2"}),
        ("", "/", {}),
    ],
)
def test_a_template_matches_as_aspnet_does(
    template: str, path: str, parameters: dict[str, str] | None
) -> None:
    assert Route.parse(template).match(path) == parameters


@pytest.mark.parametrize(
    "template",
    ["m/{id", "m/a{id}", "m/{id:regex(x)}", "m/{id=1}", "m/{id?}/x", "m/{*rest}/x", "m/{id:even}"],
)
def test_a_template_that_is_not_known_is_refused_by_name(template: str) -> None:
    with pytest.raises(AppRefused, match="route 'm/"):
        Route.parse(template)


def test_the_more_specific_template_comes_first() -> None:
    templates = ["m/{*rest}", "m/{id}", "m/{id:int}", "m/new"]
    ordered = sorted(map(Route.parse, templates), key=lambda route: route.precedence)
    assert [route.template for route in ordered] == templates[::-1]

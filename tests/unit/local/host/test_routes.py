from __future__ import annotations

import pytest

from local.host.errors import AppRefusedError
from local.host.routes import Route, is_built_in, is_same_route

GUID = "0b3d5b0e-6f5c-4a6e-8f2e-0b3d5b0e6f5c"


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("api/messages", "/api/messages", {}),
        ("api/messages", "/API/Messages/", {}),
        ("api/messages", "/api/messages/1", None),
        ("api/messages", "/api", None),
        ("api/messages", "//api/messages", None),
        ("api/messages", "/api//messages", None),
        ("api/messages", "/api/messages//", None),
        ("api/messages/{id}", "/api/messages//", None),
        ("api/messages/{id?}", "/api/messages//", None),
        ("api/messages/{id}", "/api/messages/a b", {"id": "a b"}),
        ("api/messages/{id}", "/api/messages/a%2Fb", {"id": "a%2Fb"}),
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
        ("m/{*rest}", "/m/a//b/", {"rest": "a//b/"}),
        ("m/{*rest}", "/m//a", None),
        ("m/{*rest}", "/m/", {}),
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
    with pytest.raises(AppRefusedError, match="route 'm/"):
        Route.parse(template)


@pytest.mark.parametrize(
    ("one", "other", "are_the_same"),
    [
        ("m/{id}", "/M/{ID}/", True),
        ("m/{id}", "m/{other}", False),
        ("m/{id}", "m/{id:int}", False),
    ],
)
def test_routes_are_the_same_if_their_templates_are(
    one: str, other: str, are_the_same: bool
) -> None:
    assert is_same_route(one, other) == are_the_same


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("admin", True),
        ("/Admin/x", True),
        ("administrators", True),
        ("runtime/webhooks", True),
        ("m/admin", False),
        ("{admin}", False),
    ],
)
def test_some_routes_are_the_hosts_own(template: str, found: bool) -> None:
    assert is_built_in(template) == found

"""What the health function answers, with settings that are right and with wrong ones."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func
import pytest

from shared.apps import health


def asked(blueprint: func.Blueprint) -> func.HttpResponse:
    """Ask the one function of a blueprint; anybody may."""
    app = func.FunctionApp()
    app.register_functions(blueprint)
    (function,) = app.get_functions()
    trigger: Any = function.get_trigger()
    assert trigger.get_dict_repr()["authLevel"] is func.AuthLevel.ANONYMOUS
    answer = function.get_user_function()(func.HttpRequest("GET", "/api/health", body=b""))
    assert isinstance(answer, func.HttpResponse)
    return answer


def test_a_healthy_app_says_what_it_runs() -> None:
    answer = asked(health.blueprint(["sender", "tracker"]))
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert json.loads(answer.get_body()) == {"status": "ok", "apps": ["sender", "tracker"]}


def test_an_app_with_wrong_settings_names_them(caplog: pytest.LogCaptureFixture) -> None:
    problems = ["RELAY_APP must be one of sender, receiver", "RELAY_X is not a setting"]
    answer = asked(health.refusal(problems))
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert json.loads(answer.get_body())["problems"] == problems
    (line,) = caplog.messages
    assert line.splitlines()[1:] == [f"  {problem}" for problem in problems]

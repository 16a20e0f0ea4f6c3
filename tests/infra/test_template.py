"""What no snapshot shows is judged in the compiled template: parameters, outputs, secrets."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from checks.property_rules import OUTPUTS, PARAMETERS, read_table
from checks.template import problems
from tests.infra.deployments import INFRA

Json = dict[str, Any]
TABLE, AZD = read_table(PARAMETERS), json.loads((INFRA / "main.parameters.json").read_text())


def module(parameters: Json, given: Json, outputs: Json, inner: Json) -> Json:
    return {
        "type": "Microsoft.Resources/deployments",
        "properties": {
            "parameters": {name: {"value": value} for name, value in given.items()},
            "template": {"parameters": parameters, "outputs": outputs, "resources": inner},
        },
    }


def sound() -> Json:
    """A template as the tables have it: `main.bicep` without what plays no part here."""
    secrets = {path: rule["values"][0] for path, rule in TABLE["secure"].items()}
    host = {
        path: {"host": {"type": "string", "value": rule["values"][0]}}
        for path, rule in read_table(OUTPUTS)["modules"].items()
    }
    site = module({}, {}, host["apps.site.host"], {})
    password = {"password": {"type": "securestring"}, "suffix": {"type": "string"}}
    values = {"secretValues": {"type": "secureObject"}}
    return {
        "parameters": {name: one["definition"] for name, one in TABLE["parameters"].items()},
        "variables": {
            path.removeprefix("variables."): value
            for path, value in secrets.items()
            if path.startswith("variables.")
        }
        | {"tags": {"x": "y"}},
        "resources": {
            "apps": module({}, {}, host["apps.host"], {"site": site}),
            "database": module(password, {"password": secrets["database.password"]}, {}, {}),
            "deployedSecrets": module(
                values, {"secretValues": secrets["deployedSecrets.secretValues"]}, {}, {}
            ),
        },
    }


def database(template: Json) -> Any:
    return template["resources"]["database"]["properties"]


def longer_expiry(template: Json, azd: Json) -> None:
    put = "[dateTimeToEpoch('2099-12-31')]"
    template["parameters"]["expiry"] = {"type": "int", "defaultValue": put}


def open_password(template: Json, azd: Json) -> None:
    template["parameters"]["databasePassword"] = {"type": "string"}


def default_password(template: Json, azd: Json) -> None:
    template["parameters"]["databasePassword"] = {
        "type": "securestring",
        "defaultValue": "hunter2hunter2",
    }


def another_parameter(template: Json, azd: Json) -> None:
    template["parameters"]["apiToken"] = {"type": "string", "defaultValue": "hunter2hunter2"}


def lost_parameter(template: Json, azd: Json) -> None:
    del template["parameters"]["keySize"]


def returned_password(template: Json, azd: Json) -> None:
    database(template)["template"]["outputs"] = {"url": {"value": "[parameters('password')]"}}


def lost_output(template: Json, azd: Json) -> None:
    template["resources"]["apps"]["properties"]["template"]["outputs"] = {}


def open_module(template: Json, azd: Json) -> None:
    database(template)["template"]["parameters"]["password"]["type"] = "string"


def passed_on(template: Json, azd: Json) -> None:
    database(template)["parameters"]["suffix"] = {"value": "[parameters('databasePassword')]"}


def passed_on_by_a_variable(template: Json, azd: Json) -> None:
    template["variables"]["copy"] = "[toLower(variables('databaseUser'))]"
    database(template)["parameters"]["suffix"] = {"value": "[variables('copy')]"}


def passed_on_further(template: Json, azd: Json) -> None:
    inner = module(
        {"x": {"type": "string"}}, {"x": "[format('{0}', parameters('password'))]"}, {}, {}
    )
    database(template)["template"]["resources"] = {"inner": inner}


def without_certificate(template: Json, azd: Json) -> None:
    given = template["resources"]["deployedSecrets"]["properties"]["parameters"]["secretValues"]
    given["value"] = json.loads(json.dumps(given["value"]).replace("verify-full", "disable"))


def sent_elsewhere(template: Json, azd: Json) -> None:
    template["variables"]["databaseHost"] = "relay.example"


def password_in_a_file(template: Json, azd: Json) -> None:
    azd["parameters"]["databasePassword"]["value"] = "hunter2hunter2"


def open_by_default(template: Json, azd: Json) -> None:
    azd["parameters"]["allowedAddresses"]["value"] = ["0.0.0.0/0"]


def another_value_for_azd(template: Json, azd: Json) -> None:
    azd["parameters"]["vaultNetworkDefault"] = {"value": "Allow"}


def lost_operator(template: Json, azd: Json) -> None:
    del azd["parameters"]["operators"]


PLANTED: dict[Callable[[Json, Json], None], str] = {
    longer_expiry: "main.bicep parameter: expiry.defaultValue is ",
    open_password: "main.bicep parameter: databasePassword.type is ",
    default_password: "main.bicep parameter: databasePassword.defaultValue is ",
    another_parameter: "main.bicep parameter: apiToken.",
    lost_parameter: "main.bicep parameter: keySize is missing",
    returned_password: "output of module: database.url is ",
    lost_output: "output of module: apps.host is missing",
    open_module: "module parameter database.password: takes a secret and is not secure",
    passed_on: "module parameter database.suffix: takes a secret and is not secure",
    passed_on_by_a_variable: "module parameter database.suffix: takes a secret and is not secure",
    passed_on_further: "module parameter database.inner.x: takes a secret and is not secure",
    without_certificate: "secret in: deployedSecrets.secretValues.database-connection is ",
    sent_elsewhere: "secret in: variables.databaseHost is ",
    password_in_a_file: "main.parameters.json: databasePassword is (a value that is not shown): ",
    open_by_default: "main.parameters.json: allowedAddresses",
    another_value_for_azd: "main.parameters.json: vaultNetworkDefault is ",
    lost_operator: "main.parameters.json: operators is missing",
}


def test_what_the_tables_have_is_sound() -> None:
    assert list(problems(sound(), AZD)) == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_no_snapshot_shows_is_named(plant: Callable[[Json, Json], None]) -> None:
    template, azd = copy.deepcopy(sound()), copy.deepcopy(AZD)
    plant(template, azd)
    found = list(problems(template, azd))
    assert any(line.startswith(PLANTED[plant]) for line in found), found
    assert "hunter2" not in " ".join(found)


@pytest.mark.parametrize("name", TABLE["parameters"])
def test_every_parameter_that_is_changed_or_left_out_is_named(name: str) -> None:
    for change in (lambda one: {**one, "maxValue": 1}, lambda one: None):
        template = sound()
        changed = change(template["parameters"].pop(name))
        if changed is not None:
            template["parameters"][name] = changed
        assert any(f"parameter: {name}" in line for line in problems(template, AZD))

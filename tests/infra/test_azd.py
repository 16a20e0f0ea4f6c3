"""What azd passes agrees with the declaration and with the Bicep."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from checks.access import load
from checks.package import ROOT
from checks.snapshot import load as load_snapshot
from checks.snapshot import of_type

INFRA = ROOT / "infra"
AZURE: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text())
ACCESS = load(INFRA / "access.json")
PARAMETERS: dict[str, Any] = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
BICEP = (INFRA / "main.bicep").read_text()


def test_each_service_is_an_app_and_each_app_a_service() -> None:
    tags = [
        site["tags"]["azd-service-name"]  # type: ignore[typeddict-item] # of sites only
        for site in of_type(load_snapshot(INFRA / "local.snapshot.json"), "Microsoft.Web/sites")
    ]
    apps = sorted(app["name"] for app in ACCESS["apps"])
    assert sorted(AZURE["services"]) == apps == sorted(tags)
    assert all(s["project"] == "." and s["remoteBuild"] for s in AZURE["services"].values())


def test_each_parameter_is_one_of_the_bicep_and_each_required_one_is_given() -> None:
    declared = dict(re.findall(r"^param (\w+) (.*)$", BICEP, re.MULTILINE))
    assert PARAMETERS.keys() <= declared.keys()
    # A type that ends in a brace goes on: those have defaults.
    required = {name for name, rest in declared.items() if "=" not in rest and rest[-1] != "{"}
    assert required <= PARAMETERS.keys()


def test_the_deployer_is_every_operator_until_others_are_named() -> None:
    given = PARAMETERS["operators"]["value"]
    assert given.keys() == {operator["name"] for operator in ACCESS["operators"]}


def test_no_output_has_the_name_of_an_input() -> None:
    """`azd down` takes what is an output out of the environment, and with it what was chosen."""
    text = json.dumps(PARAMETERS)
    inputs = set(re.findall(r"\$\{(\w+)", text))
    assert inputs
    assert not inputs & set(re.findall(r"^output (\w+) ", BICEP, re.MULTILINE))


def test_no_secret_stands_in_the_parameters() -> None:
    assert PARAMETERS["databasePassword"]["value"] == "$(secretOrRandomPassword)"


def test_the_hook_finds_what_it_asks_for_among_the_outputs() -> None:
    outputs = set(re.findall(r"^output (\w+) ", BICEP, re.MULTILINE))
    assert {"RELAY_VAULT_PARTNER", "RELAY_VAULT_DATABASE", "DEPLOYED_NETWORK"} <= outputs
    for system in ("posix", "windows"):
        hook = AZURE["hooks"]["postprovision"][system]
        assert "-m ops post-provision" in hook["run"]
        assert hook["continueOnError"], "what is left to do must not keep the apps from coming"


def test_the_hook_installs_the_operators_lock_and_nothing_else() -> None:
    for system in ("posix", "windows"):
        run = AZURE["hooks"]["postprovision"][system]["run"]
        (install,) = (line for line in run.splitlines() if " install " in line)
        assert install.endswith(" --require-hashes -r requirements-ops.txt")
    # The first that azd reads .funcignore with as checks/package.py does.
    assert AZURE["requiredVersions"]["azd"] == ">= 1.23.13"

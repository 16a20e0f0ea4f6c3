"""Every deployed property is explained: whatever is planted, changed or left out is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks import properties, property_rules
from checks.machines import asked_for
from checks.properties import Allowed, unexplained
from checks.property_rules import TableError
from checks.redaction import HIDDEN
from checks.snapshot import PredictedResource, Snapshot
from checks.variants import VARIANTS, parameters_of
from tests.infra.deployments import ACCESS, problems, put, snapshot, the
from tests.infra.weaknesses import (
    AUDIT,
    BUS,
    DATABASE,
    ENDPOINT,
    IDENTITY,
    LINK,
    PASSWORD,
    RULE,
    SETTING,
    SITE,
    STORAGE,
    VAULT,
    WEAKNESSES,
)

PARAMETERS = {name: parameters_of(name, ACCESS) for name in VARIANTS}
# The others in the long run: each has all of it changed, property by property.
EACH = [pytest.param(name, marks=pytest.mark.long if name != "local" else ()) for name in VARIANTS]


def shown_path(path: str) -> str:
    """A path as a message has it; a list that lost an element is named at that element."""
    text = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path.split("."))
    return text.removeprefix(".")


@pytest.mark.parametrize("planted", WEAKNESSES)
def test_a_weakness_is_named_with_its_type_resource_path_and_what_to_do(planted: str) -> None:
    one = WEAKNESSES[planted]
    made = snapshot(one.deployment)
    resource = the(made, one.kind, one.part)
    put(resource, one.path, one.value)
    found = problems(made, one.deployment)
    here = f"{one.kind} {resource['name']}: "
    here_named = [line for line in found if line.startswith(here)]
    # What is declared, the comparison with the declaration names in its own terms.
    assert here_named or any(line.startswith(("undeclared: ", "missing: ")) for line in found)
    if here_named and one.path != "name":
        first = here_named[0]
        assert shown_path(one.path) in first
        assert "checks/allowed/Microsoft." in first
        if isinstance(one.value, bool | int):
            assert f" is {json.dumps(one.value)}: " in first


def test_there_are_more_weaknesses_than_anybody_planted_so_far() -> None:
    assert len(WEAKNESSES) > 200
    assert {one.kind for one in WEAKNESSES.values()} >= {
        resource["type"]
        for name in VARIANTS
        for resource in snapshot(name)["predictedResources"]
        if resource["type"] != "Microsoft.Network/privateDnsZones"  # it has no properties
    }


# Another resource of a type that is deployed, or one of a type that never is.
ADDED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "every statement is logged": (SETTING, "relay-local/log_statement", {"value": "all"}),
    "extensions of the database": (SETTING, "relay-local/azure.extensions", {"value": "DBLINK"}),
    "every address": (
        RULE,
        "relay-local/all",
        {"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"},  # noqa: S104 - planted
    ),
    "the audit log a second time": (AUDIT, "copy", {"storageAccountId": "/x"}),
    "a log of the bus": (AUDIT, "bus-logs", {"eventHubName": "x"}),
    "a rule with keys": (f"{BUS}/AuthorizationRules", "relay-local/all", {"rights": ["Manage"]}),
    "a topic": (f"{BUS}/topics", "relay-local/copies", {}),
    "a copy of the bus": (f"{BUS}/disasterRecoveryConfigs", "relay-local/other", {}),
    "networks of the bus": (f"{BUS}/networkRuleSets", "relay-local/default", {}),
    "a slot": (f"{SITE}/slots", "relay-sender-local/test", {}),
    "a host name": (f"{SITE}/hostNameBindings", "relay-sender-local/x.example", {}),
    "a key of a host": (f"{SITE}/host/functionKeys", "relay-sender-local/default/x", {}),
    "settings apart": (f"{SITE}/config", "relay-sender-local/appsettings", {"RELAY_APP": "x"}),
    "source control": (f"{SITE}/sourcecontrols", "relay-sender-local/web", {}),
    "an extension": (f"{SITE}/siteextensions", "relay-sender-local/x", {}),
    "a user of storage": (f"{STORAGE}/localUsers", "senderlocal/x", {"hasSshPassword": True}),
    "queues of storage": (f"{STORAGE}/queueServices", "senderlocal/default", {}),
    "a container": (f"{STORAGE}/blobServices/containers", "senderlocal/default/other", {}),
    "copies of blobs": (f"{STORAGE}/objectReplicationPolicies", "senderlocal/x", {}),
    "a policy beside": (f"{VAULT}/accessPolicies", "payload-local/add", {"accessPolicies": []}),
    "an endpoint of others": (ENDPOINT, "other-local", {}),
    "a link to others": (LINK, "privatelink.vaultcore.azure.net/other", {}),
    "a federation": (f"{IDENTITY}/federatedIdentityCredentials", "decrypt-local/x", {}),
    "a directory administrator": (f"{DATABASE}/administrators", "relay-local/x", {}),
    "a virtual address": ("Microsoft.Network/publicIPAddresses", "x", {}),
    "a script": ("Microsoft.Resources/deploymentScripts", "x", {"scriptContent": "id"}),
    "a lock": ("Microsoft.Authorization/locks", "x", {"level": "CanNotDelete"}),
    "a policy": ("Microsoft.Authorization/policyExemptions", "x", {}),
    "export of logs": ("Microsoft.OperationalInsights/workspaces/dataExports", "relay-local/x", {}),
    "an action group": (
        "Microsoft.Insights/actionGroups",
        "relay-local",
        {"webhookReceivers": [{"name": "x", "serviceUri": "https://x.example"}]},
    ),
}


@pytest.mark.parametrize("planted", ADDED)
def test_a_resource_that_nobody_expects_is_named(planted: str) -> None:
    kind, name, given = ADDED[planted]
    made = snapshot("local")
    made["predictedResources"].append(
        {"id": f"/x/{name}", "type": kind, "name": name, "properties": given}
    )
    found = problems(made, "local")
    assert any(line.startswith(f"{kind} {name}: no ") for line in found), found


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every path in a JSON value: of each member, whole objects and lists too."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, (*path, name))
    if isinstance(value, list):
        for i, one in enumerate(value):
            yield from leaves(one, (*path, i))


def other(value: object) -> object:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, list):
        return [*value, "planted"]
    assert isinstance(value, dict)
    return {**value, "planted": "x"}


def place(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def is_named(made: Snapshot, name: str) -> bool:
    """Whether something is named, or cannot be read at all, which ends the check as well."""
    try:
        return bool(problems(made, name))
    except (KeyError, IndexError):
        return True


def only_here(name: str) -> list[PredictedResource]:
    """The resources of a deployment that none of those before it has."""
    before: list[PredictedResource] = []
    for other_name in VARIANTS:
        if other_name == name:
            return [one for one in snapshot(name)["predictedResources"] if one not in before]
        before += snapshot(other_name)["predictedResources"]
    raise AssertionError(name)


@pytest.mark.long
@pytest.mark.parametrize("name", EACH)
def test_every_property_that_is_changed_or_left_out_is_named(name: str) -> None:
    made = snapshot(name)
    allowed = Allowed(asked_for(ACCESS, made), PARAMETERS[name])
    silent: list[str] = []
    for original in only_here(name):
        i = made["predictedResources"].index(original)
        for path in leaves(original):
            for changed in changes(original, path):
                made["predictedResources"][i] = changed
                if not (explained_no_more(allowed, changed) or is_named(made, name)):
                    silent.append(f"{original['type']} {original['name']} {path}")
        made["predictedResources"][i] = original
    assert silent == []


def changes(
    original: PredictedResource, path: tuple[str | int, ...]
) -> Iterator[PredictedResource]:
    """A resource with another value at a path, and without it."""
    *steps, last = path
    changed = copy.deepcopy(original)
    at = place(changed, tuple(steps))
    at[last] = other(at[last])
    yield changed
    without = copy.deepcopy(original)
    del place(without, tuple(steps))[last]
    yield without


def explained_no_more(allowed: Allowed, resource: PredictedResource) -> bool:
    try:
        return any(allowed.unexplained(resource))
    except KeyError:  # a resource without type, name or id cannot be read
        return True


@pytest.mark.parametrize("name", EACH)
def test_every_resource_that_is_left_out_or_there_twice_is_named(name: str) -> None:
    made = snapshot(name)
    resources = made["predictedResources"]
    for i, resource in enumerate(resources):
        made["predictedResources"] = [*resources[:i], *resources[i + 1 :]]
        left_out = any(unexplained(ACCESS, made, PARAMETERS[name])) or is_named(made, name)
        assert left_out, resource["id"]
        made["predictedResources"] = [*resources, resource]
        assert any(unexplained(ACCESS, made, PARAMETERS[name])), resource["id"]


def test_every_output_that_is_changed_left_out_or_added_is_named() -> None:
    outputs = snapshot("local")["outputs"]
    for name, value in outputs.items():
        made = snapshot("local")
        made["outputs"][name] = other(value)
        assert any(name in line for line in problems(made, "local")), name
        del made["outputs"][name]
        assert any(name in line for line in problems(made, "local")), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_PASSWORD", "[parameters('databasePassword')]"),
        ("DATABASE_URL", "postgresql://relay:hunter2hunter2@x/relay"),
        ("STORAGE", "[listKeys('/x', '2023-01-01').keys[0].value]"),
        ("BUS", "Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey=hunter2hunter2"),
    ],
)
def test_an_output_with_a_secret_is_named_and_not_shown(name: str, value: str) -> None:
    made = snapshot("local")
    made["outputs"][name] = value
    (line,) = problems(made, "local")
    assert line.startswith(f"output: {name} is ")
    assert "nothing allows it" in line
    assert "hunter2" not in line


SECRETS: dict[str, tuple[str, str, object]] = {
    "a password": (DATABASE, "properties.administratorLoginPassword", "hunter2hunter2"),
    "a secret's value": (f"{VAULT}/secrets", "properties.value", "hunter2hunter2"),
    "a URL": (SITE, "properties.siteConfig.x", "postgresql://relay:hunter2hunter2@x/y"),
    "a signature": (SITE, "properties.siteConfig.x", "https://x.example/y?sv=1&sig=hunter2hunter2"),
    "a connection string": (SITE, "properties.x", "AccountName=a;AccountKey=hunter2hunter2"),
    "an unknown token": (BUS, "properties.accessToken", "hunter2hunter2"),
    "within an object": (BUS, "properties.x.password", "hunter2hunter2"),
    "within a list": (
        SITE,
        "properties.siteConfig.connectionStrings",
        [{"name": "x", "connectionString": "hunter2hunter2"}],
    ),
    "a list of keys": (BUS, "properties.sharedKeys", ["hunter2hunter2"]),
    "a random text": (BUS, "properties.x", "hunter2hunter2" * 5),
    "a whole object of a rule": (BUS, "sku", {"name": "Standard", "password": "hunter2hunter2"}),
}


@pytest.mark.parametrize("planted", SECRETS)
def test_a_value_that_may_be_a_secret_is_never_shown(planted: str) -> None:
    kind, path, value = SECRETS[planted]
    made = snapshot("local")
    put(the(made, kind), path, value)
    found = problems(made, "local")
    assert any(HIDDEN in line for line in found)
    assert "hunter2" not in " ".join(found)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties.defaultMessageTimeToLive", "PT1M"),
        ("properties.autoDeleteOnIdle", "P1D"),
        ("properties.status", "ReceiveDisabled"),
    ],
)
def test_an_ordinary_value_is_shown_and_what_to_do_about_it(path: str, value: str) -> None:
    made = snapshot("local")
    queue = the(made, f"{BUS}/queues", "/messages")
    put(queue, path, value)
    (line,) = problems(made, "local")
    assert line == (
        f'Microsoft.ServiceBus/namespaces/queues relay-local/messages: {path} is "{value}": '
        "nothing allows it: add it with its reason, or take it out "
        '("Microsoft.ServiceBus/namespaces/queues" of checks/allowed/Microsoft.ServiceBus.json)'
    )


def test_a_wrong_value_is_named_with_the_right_one_and_its_reason() -> None:
    made = snapshot("local")
    put(the(made, VAULT, "payload"), "properties.softDeleteRetentionInDays", 7)
    (line,) = problems(made, "local")
    assert "properties.softDeleteRetentionInDays is 7: it must be 90: The longest there is" in line


def test_a_type_that_no_table_has_is_named_with_the_file_to_write() -> None:
    made = snapshot("local")
    made["predictedResources"].append(
        {"id": "/x", "type": "Microsoft.Cache/redis", "name": "cache", "properties": {}}
    )
    (line,) = problems(made, "local")
    assert line == (
        "Microsoft.Cache/redis cache: no table allows resources of this type: add one to "
        "checks/allowed/Microsoft.Cache.json with its reasons, or take the resource out"
    )


def test_an_app_without_a_policy_on_passwords_is_named() -> None:
    made = snapshot("local")
    made["predictedResources"].remove(the(made, PASSWORD, "sender-local/ftp"))
    (line,) = problems(made, "local")
    assert line.startswith(f"{PASSWORD} relay-sender-local/ftp: is missing")


RULE_OF_ONE = {"values": [1], "reason": "x"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"properties": {"a": {"values": [1]}}}, "a: lacks a reason"),
        ({"properties": {"a": {"values": [1], "reason": " "}}}, "a: lacks a reason"),
        ({"properties": {"a": {"reason": "x"}}}, "needs one of values, pattern and checked_by"),
        ({"properties": {"a": {**RULE_OF_ONE, "pattern": "x"}}}, "needs one of"),
        ({"properties": {"a": {**RULE_OF_ONE, "values": []}}}, "at least one value"),
        ({"properties": {"a": {**RULE_OF_ONE, "value": 1}}}, "does not know value"),
        ({"properties": {"a": 1}}, "is not a rule"),
        ({"allowed": {}}, "does not know allowed"),
        ({"also": ["x"]}, "common.json has no group x"),
        ({"resources": [{"each": "vault"}]}, "lacks its name"),
    ],
)
def test_a_malformed_table_is_named(tmp_path: Path, table: object, said: str) -> None:
    (tmp_path / "common.json").write_text("{}")
    (tmp_path / "Microsoft.X.json").write_text(json.dumps({"Microsoft.X/y": table}))
    with pytest.raises(TableError, match=said):
        property_rules.load(tmp_path)


def judge(rules: dict[str, Any], content: dict[str, Any]) -> list[str]:
    parsed = property_rules.parse_rules("x", rules)
    found = properties.Judge(parsed, {"fact": 7, "text": "a.b"}).judge(content)
    return [".".join(map(str, path)) for path, _, _ in found]


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        ({"values": [True]}, True, 1),
        ({"values": [1]}, 1, True),
        ({"values": ["{fact}"]}, 7, "7"),
        ({"values": ["is {fact}"]}, "is 7", "is {fact}"),
        ({"values": [{"b": ["{fact}"]}]}, {"b": [7]}, {"b": [8]}),
        ({"pattern": "{text}"}, "a.b", "axb"),
        ({"pattern": "a+"}, "aaa", "aab"),
        ({"checked_by": "another check"}, "whatever", None),
    ],
)
def test_a_rule_allows_its_values_alone(rule: dict[str, Any], right: Any, wrong: Any) -> None:
    rules = {"a": {**rule, "reason": "x"}}
    assert judge(rules, {"a": right}) == []
    if wrong is not None:
        assert judge(rules, {"a": wrong}) != []
    assert judge(rules, {}) == ["a"]
    assert judge({"a": {**rules["a"], "optional": True}}, {}) == []


def test_each_element_and_each_member_is_held_to_its_rule() -> None:
    rules = {"a[].b": RULE_OF_ONE, "c.*": RULE_OF_ONE}
    assert judge(rules, {"a": [{"b": 1}, {"b": 1}], "c": {"x": 1}}) == []
    assert judge(rules, {"a": [{"b": 1}, {"b": 2}, {}], "c": {"x": 2}}) == [
        "a.[1].b",
        "c.x",
        "a.[2].b",
    ]


def test_a_type_is_spelled_as_its_table_spells_it() -> None:
    made = snapshot("local")
    vault: PredictedResource = the(made, VAULT, "payload")
    vault["type"] = "microsoft.keyvault/vaults"
    assert any("no table allows" in line for line in problems(made, "local"))

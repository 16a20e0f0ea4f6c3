"""What Azure refuses of a first deployment is named where it is planted, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.resource_manager.flex_lists import HARMFUL_SETTINGS, PROPERTIES, SETTINGS
from local.resource_manager.preflight import RULES, refusals
from local.resource_manager.template import Template
from tests.unit.local.resource_manager.faults import FLEX, NAMES, PLANTED
from tests.unit.local.resource_manager.faults_together import TOGETHER, edited
from tests.unit.local.resource_manager.good_values import GOOD
from tests.unit.local.resource_manager.planting import (
    BUS,
    GONE,
    PLAN,
    QUEUE,
    SENDER,
    SNAPSHOTS,
    Json,
    Planted,
    add,
    another,
    put,
    resource,
    setting,
    snapshot,
)
from tests.unit.local.resource_manager.topic_faults import TOPIC_FAULTS


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_nothing_is_refused_of_our_own(name: str) -> None:
    assert refusals(snapshot(name)) == []


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_what_is_planted_is_named_and_nothing_else(planted: Planted) -> None:
    (refusal,) = refusals(planted.planted(snapshot()))
    assert refusal.resource.endswith(planted.ending)
    assert (refusal.path, refusal.code) == (planted.place, planted.code)
    assert refusal.source
    assert refusal.what


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_it_is_named_in_every_deployment(name: str) -> None:
    document = snapshot(name)
    for planted in PLANTED:
        # What a namespace may have depends on its tier, in which the deployments differ.
        if planted.ending == BUS or planted.path.startswith("maxMessage"):
            continue
        found = refusals(planted.planted(document))
        assert [(one.path, one.code) for one in found] == [(planted.place, planted.code)], planted


@pytest.mark.parametrize(("ending", "path", "value"), GOOD, ids=str)
def test_what_azure_takes_is_not_refused(ending: str, path: str, value: object) -> None:
    document = snapshot()
    put(resource(document, ending), path, value)
    assert refusals(document) == []


@pytest.mark.parametrize(("ending", "name", "code"), NAMES)
def test_a_name_that_azure_refuses(ending: str, name: str, code: str) -> None:
    def rename(one: Json) -> None:
        one["id"] = one["id"].rpartition("/")[0] + "/" + name

    found = refusals(another(snapshot(), ending, rename))
    assert ("name", code) in [(one.path, one.code) for one in found if one.resource.endswith(name)]


@pytest.mark.parametrize("name", [*SETTINGS, *HARMFUL_SETTINGS, "Functions_Worker_Runtime"])
def test_a_setting_is_named_wherever_it_is_made(name: str) -> None:
    (refusal,) = refusals(setting(snapshot(), name))
    assert refusal.path.endswith(f"({name})")
    config = {
        "id": f"{resource(snapshot(), SENDER)['id']}/config/appsettings",
        "type": "Microsoft.Web/sites/config",
        "properties": {name: "x", "RELAY_APP": "sender"},
    }
    (refusal,) = refusals(add(snapshot(), config))
    assert (refusal.resource, refusal.path) == (config["id"], name)


def test_a_property_is_named_in_the_configuration_beside_the_site() -> None:
    config = {
        "id": f"{resource(snapshot(), SENDER)['id']}/config/web",
        "type": "Microsoft.Web/sites/config",
        "properties": {"ftpsState": "Disabled", "minTlsVersion": "1.2"},
    }
    assert [one.path for one in refusals(add(snapshot(), config))] == ["ftpsState"]


@pytest.mark.parametrize("name", ["A:B", "A B", "Ä"])
def test_a_setting_whose_name_azure_refuses(name: str) -> None:
    (refusal,) = refusals(setting(snapshot(), name))
    assert "__ for :" in refusal.what


def test_a_setting_given_twice() -> None:
    (refusal,) = refusals(setting(snapshot(), "relay_app"))
    assert refusal.what == "the setting is given twice"


def test_an_app_on_another_plan_is_free_to_have_all_of_it() -> None:
    document = snapshot()
    put(resource(document, PLAN), "/sku", {"name": "EP1", "tier": "ElasticPremium"})
    site = resource(document, SENDER)
    put(site, "functionAppConfig", GONE)
    for name in PROPERTIES:
        put(site, f"siteConfig.{name}", "x")
    for name in SETTINGS:
        document = setting(document, name)
    assert refusals(document) == []


def test_an_app_whose_plan_is_elsewhere_is_judged_by_its_own_word() -> None:
    document = snapshot()
    put(resource(document, SENDER), "serverFarmId", "/subscriptions/x/serverfarms/elsewhere")
    put(resource(document, SENDER), "siteConfig.alwaysOn", False)
    assert [one.path for one in refusals(document)] == ["siteConfig.alwaysOn"]


@pytest.mark.parametrize("case", TOGETHER)
def test_what_goes_wrong_together(case: str) -> None:
    document, path, code = TOGETHER[case]
    assert (path, code) in [(one.path, one.code) for one in refusals(document)]


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("forwardTo", "rejected", "forwardTo"),
        ("requiresDuplicateDetection", True, "requiresDuplicateDetection"),
        ("requiresSession", True, "requiresSession"),
        ("defaultMessageTimeToLive", "P15D", "defaultMessageTimeToLive"),
    ],
)
def test_what_the_basic_tier_does_not_have(name: str, value: object, path: str) -> None:
    document = snapshot()
    put(resource(document, BUS), "/sku", {"name": "Basic", "tier": "Basic"})
    for one in document["predictedResources"]:
        if one["type"].endswith("/queues"):
            one["properties"] = {"defaultMessageTimeToLive": "P14D"}
    assert refusals(document) == []
    put(resource(document, QUEUE), name, value)
    assert path in [one.path for one in refusals(document)]


def test_every_rule_has_a_planted_fault() -> None:
    def rename(to: str) -> Callable[[Json], None]:
        def change(one: Json) -> None:
            one["id"] = one["id"].rpartition("/")[0] + "/" + to

        return change

    base = snapshot()
    basic = edited(BUS, ("/sku", {"name": "Basic", "tier": "Basic"}))
    documents = [
        *(planted.planted(base) for planted in PLANTED),
        *(setting(base, name) for name in (*SETTINGS, *HARMFUL_SETTINGS, "A:B", "relay_app")),
        *(another(base, ending, rename(name)) for ending, name, _ in NAMES),
        *(document for document, _, _ in TOGETHER.values()),
        *(document for document, _, _ in TOPIC_FAULTS.values()),
        basic,
    ]
    templates = [Template(document) for document in documents]
    without = [
        (rule.code, rule.source)
        for rule in RULES
        if not any(list(rule.refusals(template)) for template in templates)
    ]
    assert without == []


def test_every_rule_has_a_source_and_a_code() -> None:
    assert len(RULES) > 100
    assert all(rule.source and rule.code for rule in RULES)


def test_a_refusal_reads_as_a_sentence_with_place_code_and_source() -> None:
    (refusal,) = refusals(Planted(SENDER, "siteConfig.ftpsState", "x", FLEX).planted(snapshot()))
    assert str(refusal).startswith("Microsoft.Web/sites/relay-sender-local: siteConfig.ftpsState: ")
    assert str(refusal).endswith("21032; Azure/azure-cli 31414)")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(JSON)
def test_whatever_it_is_given_it_does_not_fail(document: object) -> None:
    refusals(document)
    refusals({"predictedResources": document, "outputs": document})


@given(st.data())
def test_whatever_stands_in_a_resource_it_does_not_fail(data: st.DataObject) -> None:
    document = snapshot()
    one = data.draw(st.sampled_from(document["predictedResources"]))
    paths = [f"/{name}" for name in one if name not in ("id", "type")]
    paths += list(one.get("properties", {}))
    if paths:
        put(one, data.draw(st.sampled_from(paths)), data.draw(JSON))
    refusals(json.loads(json.dumps(document)))

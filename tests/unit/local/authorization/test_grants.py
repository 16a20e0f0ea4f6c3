from __future__ import annotations

import dataclasses
import json

from local.authorization.grants import principals
from local.deployment.deployment import load
from tests.pipeline.cloud_process import ROOT, SNAPSHOT


def test_identities_go_by_the_names_of_the_settings_and_operators_by_theirs() -> None:
    deployment = load(ROOT / "infra" / SNAPSHOT)
    declared = json.loads((ROOT / "infra" / "access.json").read_text())
    assert set(principals(deployment)) == {
        *(name for app in declared["apps"] for name in app["identities"]),
        *(operator["name"] for operator in declared["operators"]),
    }
    named = dataclasses.replace(deployment, apps=())
    assert principals(named)["decrypt-local"] == principals(deployment)["decrypt"]

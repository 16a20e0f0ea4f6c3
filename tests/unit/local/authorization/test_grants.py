from __future__ import annotations

import dataclasses

from local.authorization.grants import principals
from local.deployment.deployment import load
from tests.pipeline.cloud_process import ROOT, SNAPSHOT


def test_identities_go_by_the_names_of_the_settings_and_operators_by_theirs() -> None:
    deployment = load(ROOT / "infra" / SNAPSHOT)
    assert set(principals(deployment)) == {
        *("database", "encrypt", "sender_bus", "decrypt", "partner", "receiver_bus", "tracker_bus"),
        "partner_state",
        *("sender_package", "receiver_package", "tracker_package"),
        *("operator", "secrets_officer", "migrator", "key_officer", "records_officer"),
        *("retry_officer", "partner_officer"),
    }
    named = dataclasses.replace(deployment, apps=())
    assert principals(named)["decrypt-local"] == principals(deployment)["decrypt"]

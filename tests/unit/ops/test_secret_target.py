"""Every secret of the declaration is found in Azure by what azd says of its vault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.secret_target import SecretTarget
from ops.target import TargetNotGivenError

INFRA = Path(__file__).resolve().parents[3] / "infra"
SECRETS = json.loads((INFRA / "access.json").read_text())["secrets"]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret["name"])
def test_each_secret_is_found_by_the_output_that_names_its_vault(secret: dict[str, str]) -> None:
    output = f"RELAY_VAULT_{secret['vault'].upper()}"
    assert f"output {output} string" in (INFRA / "main.bicep").read_text()
    target = SecretTarget.in_azure(secret["name"], None, {output: "some-vault"})
    assert target.secret.vault_url == "https://some-vault.vault.azure.net"
    with pytest.raises(TargetNotGivenError, match=output):
        SecretTarget.in_azure(secret["name"], None, {})

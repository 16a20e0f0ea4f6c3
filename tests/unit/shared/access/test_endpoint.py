"""What the function `access` answers of what was tried."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from shared.access.declaration import Declaration, Grant, NotDeclaredError, Outcome
from shared.access.endpoint import AccessEndpoint
from shared.access.probing import ProbeFinding
from shared.azure.key_vault_id import KeyVaultId
from shared.settings.inventory import Inventory

INVENTORY = Inventory(
    {"encrypt": "0f8fad5b-d9cb-469f-a165-70867728950e"},
    (KeyVaultId.parse("https://payload.vault.azure.net/keys/payload", "keys"),),
    (KeyVaultId.parse("https://p.vault.azure.net/secrets/partner-connection", "secrets"),),
    ("messages",),
)
ENCRYPT = Grant("encrypt", "key", "payload", "encrypt")
DECRYPT = Grant("encrypt", "key", "payload", "decrypt")


class Probes:
    """Finds what a test says, once `gate` is open."""

    def __init__(self, *findings: ProbeFinding) -> None:
        self.findings = findings
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Sequence[ProbeFinding]:
        await self.gate.wait()
        if self.error:
            raise self.error
        return self.findings


def undeclared() -> Declaration:
    raise NotDeclaredError("no file")


def found(grant: Grant, outcome: Outcome) -> ProbeFinding:
    return ProbeFinding(grant, outcome, "200")


async def answer(endpoint: AccessEndpoint) -> Any:
    return json.loads((await endpoint.answer()).get_body())


@pytest.mark.parametrize(
    ("grant", "outcome", "declared", "verdict"),
    [
        (ENCRYPT, "allowed", "allowed", "as declared"),
        (ENCRYPT, "refused", "allowed", "narrower"),
        (DECRYPT, "refused", "refused", "as declared"),
        (DECRYPT, "allowed", "refused", "wider"),
        (DECRYPT, "could not tell", "refused", "could not tell"),
    ],
)
async def test_what_was_found_is_compared_with_what_is_declared(
    grant: Grant, outcome: Outcome, declared: str, verdict: str
) -> None:
    probes = Probes(found(grant, outcome))
    body = await answer(AccessEndpoint("sender", INVENTORY, probes, Declaration.load))
    assert body["app"] == "sender"
    assert body["declaration"] == Declaration.load().digest
    assert body["objects"] == {
        "keys": ["https://payload.vault.azure.net/keys/payload"],
        "secrets": ["https://p.vault.azure.net/secrets/partner-connection"],
        "queues": ["messages"],
    }
    assert body["findings"] == [
        {
            "identity": "encrypt",
            "kind": "key",
            "object": "payload",
            "operation": grant.operation,
            "actual": outcome,
            "detail": "200",
            "declared": declared,
            "verdict": verdict,
        }
    ]


async def test_without_a_declaration_an_app_reports_what_is_and_no_more() -> None:
    probes = Probes(found(ENCRYPT, "allowed"))
    body = await answer(AccessEndpoint("sender", INVENTORY, probes, undeclared))
    assert body["declaration"] is None
    (finding,) = body["findings"]
    assert {"declared", "verdict"}.isdisjoint(finding)


async def test_there_is_one_run_at_a_time() -> None:
    probes = Probes()
    endpoint = AccessEndpoint("sender", INVENTORY, probes, undeclared)
    probes.gate.clear()
    running = asyncio.create_task(endpoint.answer())
    await asyncio.sleep(0)
    second = await endpoint.answer()
    assert (second.status_code, second.headers["Retry-After"]) == (409, "5")
    assert second.mimetype == "application/problem+json"
    probes.gate.set()
    assert (await running).status_code == 200
    assert (await endpoint.answer()).status_code == 200


async def test_a_run_that_fails_does_not_keep_the_next_one_out() -> None:
    probes = Probes()
    endpoint = AccessEndpoint("sender", INVENTORY, probes, undeclared)
    probes.error = OSError("no route")
    with pytest.raises(OSError, match="no route"):
        await endpoint.answer()
    probes.error = None
    assert (await endpoint.answer()).status_code == 200

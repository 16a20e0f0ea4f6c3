"""What the buttons do, over a cloud whose services are values."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local.authorization.authorization import Authorization
from local.authorization.grants import principals
from local.deployment.deployment import load
from local.faults.faults import Fault, Faults, ObservedRequest
from local.page.actions import ActionRefusedError, Actions
from local.page.app_calls import AppCalls
from local.page.operator_commands import OperatorCommands
from local.runtime.cloud import Cloud
from tests.pipeline.cloud_process import ROOT, SNAPSHOT

DEPLOYMENT = load(ROOT / "infra" / SNAPSHOT)
POSTED = ObservedRequest("partner")


class App:
    """Stands for the process of an app."""

    def __init__(self, state: str = "up") -> None:
        self.state = state
        self.done: list[str] = []

    async def stop(self) -> None:
        self.done.append("stop")

    async def start(self) -> None:
        self.done.append("start")


class Commands:
    """Stands for the operators' commands; counts how many run at once."""

    def __init__(self) -> None:
        self.running = self.most = 0

    async def prove(self) -> object:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        return {"proven": True}

    async def bring_forward(self) -> str:
        await self.prove()
        return "done"


class Calls:
    """Stands for the sender."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    async def send(self, payload: bytes, content_type: str) -> str:
        self.payloads.append(payload)
        return f"{len(self.payloads):08}-id"


class Buttons:
    def __init__(self) -> None:
        self.apps = {name: App() for name in ("sender", "receiver", "tracker")}
        self.calls, self.commands = Calls(), Commands()
        self.authorization, self.faults = Authorization(DEPLOYMENT), Faults()
        self.rotated: list[str] = []
        keys = [SimpleNamespace(name="payload")]
        store = SimpleNamespace(rotate=self._rotate)
        context = SimpleNamespace(authorization=self.authorization, faults=self.faults)
        self.cloud: Any = SimpleNamespace(
            deployment=DEPLOYMENT,
            partner_kind="webhook",
            context=context,
            apps=self.apps,
            vaults={"v": SimpleNamespace(spec=SimpleNamespace(keys=keys), store=store)},
        )
        self.actions = Actions(
            cast("Cloud", self.cloud),
            cast("AppCalls", self.calls),
            cast("OperatorCommands", self.commands),
        )

    def _rotate(self, key: str) -> str:
        self.rotated.append(key)
        return "a" * 32

    def is_suspended(self, identity: str) -> bool:
        return self.authorization.is_suspended(principals(DEPLOYMENT)[identity])

    def restarted(self) -> set[str]:
        return {name for name, app in self.apps.items() if app.done == ["stop", "start"]}


@pytest.fixture
def page() -> Buttons:
    return Buttons()


@pytest.mark.parametrize(
    ("identity", "restarted"),
    [
        ("decrypt", {"receiver"}),
        ("encrypt", {"sender"}),
        ("partner", {"receiver"}),
        ("database", {"sender", "tracker"}),
        ("receiver_bus", set()),
        ("operator", set()),
        ("secrets_officer", set()),
        ("receiver_package", set()),
    ],
)
async def test_who_reads_by_a_grant_forgets_what_was_read_when_it_is_taken_away(
    page: Buttons, identity: str, restarted: set[str]
) -> None:
    said = await page.actions.take_away(identity)
    assert page.is_suspended(identity)
    assert page.restarted() == restarted
    assert said.startswith(f"{identity} may do nothing now.")
    page.actions.give_back(identity)
    assert not page.is_suspended(identity)


async def test_an_app_that_was_stopped_stays_so(page: Buttons) -> None:
    page.apps["receiver"].state = "stopped"
    await page.actions.take_away("decrypt")
    assert page.apps["receiver"].done == []


async def test_an_identity_that_there_is_not_is_refused(page: Buttons) -> None:
    with pytest.raises(ActionRefusedError):
        await page.actions.take_away("nobody")
    with pytest.raises(ActionRefusedError):
        page.actions.give_back("nobody")


def test_the_partner_fails_until_it_works(page: Buttons) -> None:
    page.actions.partner("unavailable")
    answers = [page.faults.decide(POSTED) for _ in range(3)]
    assert [one.status if one else None for one in answers] == [503, 503, 503]
    page.actions.partner("works")
    assert page.faults.decide(POSTED) is None


def test_the_partner_refuses_one_message(page: Buttons) -> None:
    page.actions.partner("refuses")
    answers = [page.faults.decide(POSTED) for _ in range(2)]
    assert [one.status if one else None for one in answers] == [400, None]


def test_a_partner_that_is_a_queue_fails_and_refuses_no_message(page: Buttons) -> None:
    page.cloud.partner_kind = "servicebus"
    assert page.actions.partner("unavailable").startswith("The partner's queue takes nothing")
    with pytest.raises(ActionRefusedError, match="only a webhook refuses one"):
        page.actions.partner("refuses")
    # What was in force still is.
    assert page.faults.any_at("partner")


def test_faults_of_other_services_stay(page: Buttons) -> None:
    page.faults.set(Fault("vault", "status", 503))
    page.actions.partner("works")
    assert [one.fault.service for one in page.faults.active()] == ["vault"]


@pytest.mark.parametrize(("vault", "key"), [("v", "other"), ("other", "payload"), ("", "")])
def test_only_a_key_that_there_is_is_rotated(page: Buttons, vault: str, key: str) -> None:
    with pytest.raises(ActionRefusedError):
        page.actions.rotate(vault, key)
    assert page.actions.rotate("v", "payload").startswith("Key payload has the new version aaaa")
    assert page.rotated == ["payload"]


async def test_each_message_is_another(page: Buttons) -> None:
    assert await page.actions.send(1) == "Message 00000001 is accepted and sealed."
    assert await page.actions.send(3) == "3 messages are accepted and sealed."
    assert len(set(page.calls.payloads)) == 4


async def test_what_lasts_waits_for_one_another(page: Buttons) -> None:
    actions = page.actions
    await asyncio.gather(actions.prove(), actions.bring_forward(), actions.prove())
    assert page.commands.most == 1

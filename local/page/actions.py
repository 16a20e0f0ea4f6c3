"""What the buttons of the page do to a cloud."""

from __future__ import annotations

import asyncio
import itertools
import json

from local.authorization.grants import principals
from local.faults.faults import Fault
from local.page.app_calls import AppCalls
from local.page.operator_commands import OperatorCommands
from local.page.picture import Picture
from local.runtime.cloud import Cloud

MAX_MESSAGES = 50
_UNAVAILABLE = 503  # the partner is tried again later
_FINAL = 400  # one of RELAY_PARTNER_FINAL_STATUSES: the message is rejected
_QUEUE = "servicebus"  # the kind in the partner's secret
_KEPT_BY_APPS = ("key", "secret")  # what they have read of these they keep for minutes


class ActionRefusedError(Exception):
    """What a button asked for is not possible; the text says why."""


class Actions:
    """The actions. Each returns a sentence for the user; those that last wait for one another."""

    def __init__(self, cloud: Cloud, calls: AppCalls, commands: OperatorCommands) -> None:
        self._cloud = cloud
        self._calls = calls
        self._commands = commands
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()

    async def send(self, count: int) -> str:
        """Send so many messages, each a small order. Raises `AppCallError`."""
        ids = [await self._calls.send(self._order(), "application/json") for _ in range(count)]
        if len(ids) == 1:
            return f"Message {ids[0][:8]} is accepted and sealed."
        return f"{len(ids)} messages are accepted and sealed."

    def partner(self, answers: str) -> str:
        """Let the partner work, fail (`unavailable`), or refuse its next message (`refuses`).

        Raises `ActionRefusedError` for what a partner that is a queue does not do.
        """
        is_queue = self._cloud.partner_kind == _QUEUE
        if is_queue and answers == "refuses":
            raise ActionRefusedError(
                "The partner is a queue now, which looks at no message: only a webhook refuses one."
            )
        faults = self._cloud.context.faults
        faults.clear("partner")
        if answers == "unavailable":
            faults.set(Fault("partner", "status", _UNAVAILABLE))
            partner = "The partner's queue takes nothing" if is_queue else "The partner answers 503"
            return f"{partner} from now on: messages wait, and none is lost."
        if answers == "refuses":
            faults.set(Fault("partner", "status", _FINAL, times=1))
            return "The partner refuses the next message with 400: the relay will reject it."
        return "The partner works. What waits is sent again when it is due."

    def rotate(self, vault: str, key: str) -> str:
        """Make a new version of a key. Raises `ActionRefusedError`."""
        running = self._cloud.vaults.get(vault)
        if running is None or key not in [one.name for one in running.spec.keys]:
            raise ActionRefusedError("There is no such key.")
        version = running.store.rotate(key)
        return (
            f"Key {key} has the new version {version[:8]}. The sender seals with it from its next "
            "data key on; what older versions sealed still opens."
        )

    async def take_away(self, identity: str) -> str:
        """Suspend the grants of an identity, and let no app live on what it read before."""
        principal = self._id(identity)
        shown = Picture.of(self._cloud.deployment).identity(identity)
        reads = shown is not None and any(one.kind in _KEPT_BY_APPS for one in shown.grants)
        async with self._turn:
            self._cloud.context.authorization.suspend(principal)
            # Who takes a right away for good restarts the app as well, so that it forgets the data
            # keys that it has opened and the secrets that it has read.
            restarted = await self._restart(shown.apps) if shown and reads else []
        also = f" {' and '.join(restarted)} restarted, to forget what it kept." if restarted else ""
        return f"{identity} may do nothing now.{also}"

    def give_back(self, identity: str) -> str:
        """Restore the grants of an identity."""
        self._cloud.context.authorization.restore(self._id(identity))
        return f"{identity} may do again what is declared."

    async def replay(self, number: str) -> str:
        """Send a rejected message again, as an operator."""
        async with self._turn:
            return await self._commands.replay(number)

    async def bring_forward(self) -> str:
        """Send what waits for its next attempt now, as an operator."""
        async with self._turn:
            return await self._commands.bring_forward()

    async def prove(self) -> object:
        """Run the access audit."""
        async with self._turn:
            return await self._commands.prove()

    async def _restart(self, names: tuple[str, ...]) -> list[str]:
        running = [name for name in names if self._cloud.apps[name].state == "up"]
        for name in running:
            await self._cloud.apps[name].stop()
            await self._cloud.apps[name].start()
        return running

    def _id(self, identity: str) -> str:
        known = principals(self._cloud.deployment)
        if identity not in known:
            raise ActionRefusedError("There is no such identity.")
        return known[identity]

    def _order(self) -> bytes:
        return json.dumps({"order": next(self._numbers), "from": "the live page"}).encode()

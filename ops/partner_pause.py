"""The commands that pause and resume what is sent to the partner, and say whether it is paused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.keyvault.secrets.aio import SecretClient
from azure.servicebus.exceptions import ServiceBusError

from local.cli.output import notify, printable
from ops.causes import cause
from ops.listing import age
from ops.partner_secret import NotSetError, why
from ops.secret_target import SecretTarget
from ops.target import Target
from shared.azure.scheduled_queue import ScheduledQueue
from shared.message.waiting import WaitingMessage
from shared.partner.operator_state import OPEN, SECRET, PartnerState, PartnerStateError

OFFICER = "partner_officer"
_CONTENT_TYPE = "application/json"
_COUNTED = 1000


async def pause(target: SecretTarget, reason: str, *, as_json: bool) -> int:
    """Pause it, for a reason that is in the receivers' logs. Raises `NotSetError`."""
    state = PartnerState(is_paused=True, since=datetime.now(UTC), reason=reason)
    await _set(target, state)
    show_state(state, None, as_json=as_json)
    notify("in effect within a minute; what is under way is still posted")
    return 0


async def resume(target: SecretTarget, *, as_json: bool) -> int:
    """Take a pause back. Raises `NotSetError`."""
    state = PartnerState(is_paused=False, since=datetime.now(UTC))
    await _set(target, state)
    show_state(state, None, as_json=as_json)
    notify("in effect within a minute; what waits is then brought forward")
    return 0


async def status(target: SecretTarget, bus: Target | None, *, as_json: bool) -> int:
    """Say whether it is paused, and what waits, if that may be seen. Raises `NotSetError`."""
    state = await _get(target)
    waiting = await _waiting(bus) if bus else None
    show_state(state, waiting, as_json=as_json)
    return 0


@asynccontextmanager
async def _vault(target: SecretTarget) -> AsyncIterator[SecretClient]:
    """Give a client whose errors are `NotSetError`."""
    async with target.client() as client:
        try:
            yield client
        except AzureError as error:
            raise NotSetError(why(error)) from error


async def _set(target: SecretTarget, state: PartnerState) -> None:
    async with _vault(target) as client:
        # Without an expiry: a pause ends when an operator ends it.
        await client.set_secret(SECRET, state.to_json(), content_type=_CONTENT_TYPE)


async def _get(target: SecretTarget) -> PartnerState:
    async with _vault(target) as client:
        try:
            return PartnerState.from_json((await client.get_secret(SECRET)).value or "")
        except ResourceNotFoundError:
            return OPEN
        except PartnerStateError as error:
            raise NotSetError(f"{error}: receivers go on as before; pause or resume it") from None


async def _waiting(bus: Target) -> Sequence[WaitingMessage] | None:
    """Return what waits, as far as it is counted; None where this principal may not see it."""
    found: list[WaitingMessage] = []
    try:
        async with bus.client() as client, ScheduledQueue.opened(client, bus.retries) as queue:
            first = 1
            while len(found) < _COUNTED and (page := await queue.peek(first)):
                first = (page[-1].sequence_number or 0) + 1
                found += [one for message in page if (one := WaitingMessage.from_peeked(message))]
    except BrokenPipeError:
        raise  # the reader of the output has gone: `python -m ops` ends quietly
    except (ServiceBusError, AzureError, OSError) as error:
        notify(f"what waits is not counted here ({cause(error)}): `ops retries` lists it")
        return None
    return found


def show_state(
    state: PartnerState, waiting: Sequence[WaitingMessage] | None, *, as_json: bool
) -> None:
    """Print whether the partner is paused, and how many messages wait, where that is known."""
    now = datetime.now(UTC)
    if as_json:
        document: dict[str, object] = {
            "state": "paused" if state.is_paused else "open",
            "since": state.since and state.since.isoformat(timespec="seconds"),
            "reason": state.reason or None,
        }
        if waiting is not None:
            document["waiting"] = len(waiting)
        print(json.dumps(document))
        return
    since = f" since {state.since:%Y-%m-%d %H:%M:%S} UTC" if state.since else ""
    passed = f" ({age(now - state.since)})" if state.since else ""
    reason = f": {printable(state.reason)}" if state.reason else ""
    print(f"the partner is {'paused' if state.is_paused else 'open'}{since}{passed}{reason}")
    if waiting is not None:
        count = f"{len(waiting)}" if len(waiting) < _COUNTED else f"{_COUNTED} or more"
        print(f"{count} messages wait for their next attempt")

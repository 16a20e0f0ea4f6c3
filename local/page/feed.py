"""What an open page is sent, as server-sent events: what changed, and what happened.

Source: HTML Living Standard, section "Server-sent events".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Protocol

from local.page.activity import Activity, recent
from local.page.app_calls import AppCalls
from local.page.picture import Picture
from local.page.snapshot import MAX_REJECTED, cloud_state, rejected_messages
from local.runtime.cloud import Cloud

FRAME_SECONDS = 0.2  # events of so long are sent together
HEARTBEAT_SECONDS = 4.0  # a page that hears nothing for three of these says that it is cut off
_LEDGER_SECONDS = 0.8  # between two questions to the tracker while anything happens
_QUIET_SECONDS = 4.0  # how long after the last event the ledger may still change
_REJECTED = "rejected"


class Stream(Protocol):
    """Where a feed is written; `write` waits until a slow reader has room."""

    async def write(self, data: bytes, /) -> None:
        """Send some bytes."""


class Feed:
    """The events for one page, until it goes away or `closing` is set."""

    def __init__(self, cloud: Cloud, calls: AppCalls, closing: asyncio.Event) -> None:
        self._cloud = cloud
        self._calls = calls
        self._closing = closing
        self._activity = Activity(lambda: cloud.context.audit_log.names)
        self._sent: dict[str, object] = {}
        self._deployment: object = None
        self._ledger_at = self._active_at = 0.0

    async def send_to(self, stream: Stream) -> None:
        """Write events until the end."""
        events, clock = self._cloud.context.events, asyncio.get_running_loop().time
        self._active_at = written_at = clock()
        events.add(self._activity.add)
        try:
            # At once, not after the first answer of the tracker: the page's buttons wait for it.
            decisions = _event("decisions", recent(self._cloud.context.audit_log))
            await stream.write(decisions + b"".join(self._changes(clock())))
            while not self._closing.is_set():
                frame = b"".join(self._changes(clock())) + await self._ledger(clock())
                if not frame and clock() - written_at >= HEARTBEAT_SECONDS:
                    frame = b": still here\n\n"
                if frame:
                    # Meanwhile events are counted together, in bounded memory: the cloud never
                    # waits for a page.
                    await stream.write(frame)
                    written_at = clock()
                await self._pause()
        finally:
            events.remove(self._activity.add)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), FRAME_SECONDS)
        except TimeoutError:
            return

    def _changes(self, now: float) -> Iterator[bytes]:
        deployment = self._cloud.deployment
        if deployment is not self._deployment:
            self._deployment = deployment
            yield _event("picture", Picture.of(deployment).as_json())
        state = cloud_state(self._cloud)
        yield from self._if_changed("state", state)
        if (happened := self._activity.take()) is not None:
            self._active_at = now
            yield _event("activity", happened)
        yield from self._rejected()

    def _rejected(self) -> Iterator[bytes]:
        bus = self._cloud.bus.server
        counts = bus.state().get(_REJECTED)
        # The messages themselves are looked at only when their number has changed.
        if counts is None or self._sent.get("rejected") == counts:
            return
        self._sent["rejected"] = counts
        newest = rejected_messages(bus.newest(_REJECTED, MAX_REJECTED))
        yield _event("rejected", newest)

    async def _ledger(self, now: float) -> bytes:
        # The ledger is a database that only apps reach, so the tracker is asked, as long as
        # something may have changed there.
        quiet = now - self._active_at > _QUIET_SECONDS
        if now - self._ledger_at < _LEDGER_SECONDS or (quiet and "ledger" in self._sent):
            return b""
        self._ledger_at = now
        return b"".join(self._if_changed("ledger", await self._calls.ledger()))

    def _if_changed(self, name: str, content: object) -> Iterator[bytes]:
        if self._sent.get(name) != content:
            self._sent[name] = content
            yield _event(name, content)


def _event(name: str, content: object) -> bytes:
    # JSON has no line breaks outside of strings, and escapes those within: one line of data.
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode()

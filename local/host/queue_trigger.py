"""Service Bus triggers: one receiver for each function, which takes what the host has room for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack

from local.host import message_body, trigger_metadata
from local.host.bindings import QueueFunction
from local.host.host_json import ServiceBusOptions
from local.host.invocation import Invoker
from local.host.service_bus.connection import BusConnection
from local.host.service_bus.received import ReceivedMessage
from local.host.service_bus.requests import RequestLink
from local.host.service_bus.sign_in import TokenKeeper, address_of, name_and_key_of
from local.host.settings import IdentityConnection, Settings
from local.host.tracing import Trace
from local.host.trigger_link import Calls, TriggerLink

_log = logging.getLogger("Host.ServiceBus")
_BACKOFF = (0.25, 5.0)  # seconds; first and longest pause between attempts
_GRACE = 10.0  # seconds; how long functions have to finish after a stop


class QueueTrigger:
    """Calls a function for each message: completed when it returns, abandoned when it raises.

    As many messages are at the host as it may call functions at once, and none waits there for its
    call. One of cardinality many gets batches, one after the other: what there is when a message
    has come, and, where host.json has a minMessageBatchSize, what comes within maxBatchWaitTime.
    The locks of a batch are not renewed, because the real host does not renew them either.

    A stop repeats the messages in flight, as on the real host: the function ends and its message is
    abandoned, even if it succeeded; a batch is completed. Source: azure-sdk-for-net,
    MessageProcessor.CompleteProcessingMessageAsync throws once the listener stops, and
    ReceiverManager.ProcessOneMessage abandons after any exception but a TaskCanceledException;
    ServiceBusListener.TriggerAndCompleteMessagesInternal completes with CancellationToken.None.
    """

    def __init__(
        self,
        function: QueueFunction,
        options: ServiceBusOptions,
        settings: Settings,
        invoker: Invoker,
        *,
        is_open_telemetry: bool = False,
    ) -> None:
        self.attached = asyncio.Event()
        self._function = function
        self._options = options
        self._settings = settings
        self._invoker = invoker
        self._is_open_telemetry = is_open_telemetry
        self._stopping = asyncio.Event()
        self._calls = Calls()
        self._last_failure: str | None = None

    def stop(self) -> None:
        """Receive no more messages; `run` ends once those in flight are settled."""
        self._stopping.set()

    async def run(self) -> None:
        """Receive until stopped, and reconnect whenever the bus fails."""
        pause = _BACKOFF[0]
        while not self._stopping.is_set():
            attached = await self._run_link()
            pause = _BACKOFF[0] if attached else min(2 * pause, _BACKOFF[1])
            await self._pause(pause)

    async def _run_link(self) -> bool:
        """Receive on one connection; return whether its link was attached."""
        attached = False
        try:
            async with AsyncExitStack() as stack:
                link = await self._open(stack)
                attached = True
                self._log_attached()
                await link.receive()
                await self._finish()
            if link.receiver.error and not self._stopping.is_set():
                self._log_failure(link.receiver.error)
        except Exception as error:  # noqa: BLE001 - whatever failed, it is tried again
            self._log_failure(error)
        return attached

    async def _open(self, stack: AsyncExitStack) -> TriggerLink:
        function, to = self._function, self._function.connection
        connection = await BusConnection.open(address_of(to, self._settings), name_and_key_of(to))
        stack.push_async_callback(connection.close)
        if isinstance(to, IdentityConnection):
            cbs = RequestLink(connection, "$cbs")
            tokens = TokenKeeper(to, self._settings, cbs, function.queue)
            keeping = asyncio.create_task(tokens.keep(await tokens.put()))
            stack.callback(keeping.cancel)
        link = TriggerLink(
            connection, function, self._options, self._calls, self._call, self._stopping
        )
        stack.callback(link.renewer.close)
        await link.receiver.attached()
        return link

    async def _call(self, messages: Sequence[ReceivedMessage]) -> None:
        function = self._function
        try:
            if function.many:
                given = message_body.many(messages, function.data_type)
                properties, trace = trigger_metadata.of_many(messages), Trace()
            else:
                given = message_body.one(messages[0], function.data_type)
                properties, trace = (
                    trigger_metadata.of_one(messages[0]),
                    trigger_metadata.trace_of(
                        messages[0], is_open_telemetry=self._is_open_telemetry
                    ),
                )
        except message_body.BindingError as error:
            _log.error(
                "%s: exception binding parameter '%s' of %d messages: %s",
                function.label,
                function.parameter,
                len(messages),
                error,
            )
            raise
        await self._invoker.call(function, given, properties, trace)

    async def _finish(self) -> None:
        """Wait for the functions in flight, up to the grace; the others' messages stay locked.

        Whoever stops a host kills it after a while, and then nothing can be settled.
        """
        if not self._stopping.is_set() or not self._calls.running:
            return
        _, late = await asyncio.wait(self._calls.running, timeout=_GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _log_attached(self) -> None:
        self.attached.set()
        self._last_failure = None
        _log.info("%s: attached", self._function.label)

    def _log_failure(self, error: Exception) -> None:
        """Log a failure when it begins or changes, not at each attempt."""
        kind = type(error).__name__
        level = logging.DEBUG if kind == self._last_failure else logging.WARNING
        self._last_failure = kind
        label = self._function.label
        _log.log(level, "%s: not attached, retrying: %s: %s", label, kind, error)

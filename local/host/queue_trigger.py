"""Service Bus triggers: one receiver per function, on the unmodified SDK."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from azure.identity.aio import ManagedIdentityCredential
from azure.servicebus import ServiceBusReceivedMessage, TransportType
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import AutoLockRenewTimeout, MessageLockLostError

from local.host import message_body, trigger_metadata
from local.host.bindings import QueueFunction
from local.host.host_json import ServiceBusOptions
from local.host.invocation import Invoker
from local.host.settings import KeyConnection, Settings
from local.host.tracing import Trace

_Settle = Callable[[ServiceBusReceivedMessage], Awaitable[None]]
_log = logging.getLogger("Host.ServiceBus")
_POLL = 0.5  # seconds; the longest that a stop goes unnoticed
_MORE = 0.05  # seconds; how long a batch waits for one more message
_BACKOFF = (0.25, 5.0)  # seconds; first and longest pause between attempts
_GRACE = 10.0  # seconds; how long functions have to finish after a stop


@dataclass
class _Link:
    """A receiver for as long as its connection holds.

    Once anything failed on it, nothing may be settled through it: the SDK would open a new link
    in its place and settle by the old link's delivery numbers, which are other messages there.
    """

    receiver: ServiceBusReceiver
    broken: bool = False

    async def break_off(self, _renewed: object, error: Exception | None) -> None:
        """Mark the link broken when a lock could not be renewed, unless only its time was up."""
        self.broken = self.broken or not isinstance(error, AutoLockRenewTimeout | None)


class QueueTrigger:
    """Calls a function for each message: completed when it returns, abandoned when it raises.

    One of cardinality many gets batches, one after the other. The locks of a batch are not
    renewed, because the real host does not renew them either.

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
    ) -> None:
        self.attached = asyncio.Event()
        self._function = function
        self._options = options
        self._settings = settings
        self._invoker = invoker
        self._stopping = asyncio.Event()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._last_failure: str | None = None

    def stop(self) -> None:
        """Receive no more messages; `run` ends once those in flight are settled."""
        self._stopping.set()

    async def run(self) -> None:
        """Receive until stopped, and reconnect whenever the bus fails."""
        pause = _BACKOFF[0]
        async with AsyncExitStack() as stack:
            client = await _client(self._function, self._settings, stack)
            while not self._stopping.is_set():
                attached = await self._run_link(client)
                pause = _BACKOFF[0] if attached else min(2 * pause, _BACKOFF[1])
                await self._pause(pause)
        await self._finish()

    async def _run_link(self, client: ServiceBusClient) -> bool:
        """Receive on one link; return whether it was attached."""
        receiver = client.get_queue_receiver(
            self._function.queue, prefetch_count=self._options.prefetch_count
        )
        link, attached = _Link(receiver), False
        try:
            async with receiver, _renewer(self._options) as renewer:
                attached = True
                self._log_attached()
                await self._receive(link, renewer)
                await self._finish()
        except Exception as error:  # noqa: BLE001 - the SDK raises many kinds; all mean to try again
            link.broken = True
            self._log_failure(error)
        return attached

    async def _receive(self, link: _Link, renewer: AutoLockRenewer | None) -> None:
        many = self._function.many
        at_once = 1 if many else self._options.max_concurrent_calls
        while not self._stopping.is_set() and not link.broken:
            if len(self._in_flight) >= at_once:
                await asyncio.wait(
                    self._in_flight, timeout=_POLL, return_when=asyncio.FIRST_COMPLETED
                )
                continue
            # One at a time: for more, the SDK would keep the first until the others have come.
            messages = await link.receiver.receive_messages(1, max_wait_time=_POLL)
            if self._stopping.is_set():
                # Delivered to a host that is stopping: abandoned without a call, as there.
                await self._settle_all(link, link.receiver.abandon_message, messages)
                return
            if messages and many:
                await self._fill(link, messages)
            for message in messages:
                if renewer and not many:
                    renewer.register(link.receiver, message, on_lock_renew_failure=link.break_off)
            if messages:
                task = asyncio.create_task(self._process(link, messages))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)

    async def _fill(self, link: _Link, batch: list[ServiceBusReceivedMessage]) -> None:
        """Add the messages that are available, up to the largest batch."""
        while room := self._function.max_batch - len(batch):
            more = await link.receiver.receive_messages(room, max_wait_time=_MORE)
            if not more:
                return
            batch += more

    async def _process(self, link: _Link, messages: list[ServiceBusReceivedMessage]) -> None:
        try:
            await self._call(messages)
        except Exception:  # noqa: BLE001 - logged by the invoker
            await self._settle_all(link, link.receiver.abandon_message, messages)
            return
        if self._stopping.is_set() and not self._function.many:
            _log.warning("%s: a message is repeated because of the stop", self._label)
            await self._settle_all(link, link.receiver.abandon_message, messages)
        elif self._function.completes:
            await self._settle_all(link, link.receiver.complete_message, messages)

    async def _call(self, messages: list[ServiceBusReceivedMessage]) -> None:
        function = self._function
        try:
            if function.many:
                given = message_body.many(messages, function.data_type)
                properties, trace = trigger_metadata.of_many(messages), Trace()
            else:
                given = message_body.one(messages[0], function.data_type)
                properties, trace = (
                    trigger_metadata.of_one(messages[0]),
                    trigger_metadata.trace_of(messages[0]),
                )
        except message_body.BindingError as error:
            _log.error(
                "%s: exception binding parameter '%s' of %d messages: %s",
                self._label,
                function.parameter,
                len(messages),
                error,
            )
            raise
        await self._invoker.call(function, given, properties, trace)

    async def _settle_all(
        self, link: _Link, settle: _Settle, messages: list[ServiceBusReceivedMessage]
    ) -> None:
        await asyncio.gather(*(self._settle(link, settle, message) for message in messages))

    async def _settle(
        self, link: _Link, settle: _Settle, message: ServiceBusReceivedMessage
    ) -> None:
        if link.broken:
            return  # the lock expires and the bus delivers the message again
        try:
            await settle(message)
        except MessageLockLostError:
            _log.warning("%s: a lock was lost before its message was settled", self._label)
        except Exception as error:  # noqa: BLE001 - as above
            link.broken = True
            self._log_failure(error)

    async def _finish(self) -> None:
        """Wait for the functions in flight, up to the grace; the others' messages stay locked.

        Whoever stops a host kills it after a while, and then nothing can be settled.
        """
        if not self._stopping.is_set() or not self._in_flight:
            return
        _, late = await asyncio.wait(self._in_flight, timeout=_GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    @property
    def _label(self) -> str:
        return f"'Functions.{self._function.name}' on queue '{self._function.queue}'"

    def _log_attached(self) -> None:
        self.attached.set()
        self._last_failure = None
        _log.info("%s: attached", self._label)

    def _log_failure(self, error: Exception) -> None:
        """Log a failure when it begins or changes, not at each attempt."""
        kind = type(error).__name__
        level = logging.DEBUG if kind == self._last_failure else logging.WARNING
        self._last_failure = kind
        _log.log(level, "%s: not attached, retrying: %s: %s", self._label, kind, error)


@asynccontextmanager
async def _renewer(options: ServiceBusOptions) -> AsyncIterator[AutoLockRenewer | None]:
    seconds = options.max_auto_lock_renewal.total_seconds()
    if not seconds:
        yield None
        return
    async with AutoLockRenewer(max_lock_renewal_duration=seconds) as renewer:
        yield renewer


async def _client(
    function: QueueFunction, settings: Settings, stack: AsyncExitStack
) -> ServiceBusClient:
    # The SDK must not retry by itself: it would reopen a link without `_Link` knowing.
    if isinstance(function.connection, KeyConnection):
        return await stack.enter_async_context(
            ServiceBusClient.from_connection_string(
                function.connection.connection_string, retry_total=0
            )
        )
    credential = await stack.enter_async_context(
        ManagedIdentityCredential(client_id=function.connection.client_id, use_env_settings=False)
    )
    return await stack.enter_async_context(
        ServiceBusClient(
            function.connection.namespace,
            credential,
            retry_total=0,
            transport_type=TransportType.Amqp,
            custom_endpoint_address=settings.get("RELAY_BUS_ENDPOINT"),
            connection_verify=settings.get("RELAY_CA_BUNDLE"),
        )
    )

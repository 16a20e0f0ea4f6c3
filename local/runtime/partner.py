"""The partner in the other network, served beside the deployment."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.bus.server.server import MAX_CONNECTIONS
from local.net.bearer import new_key
from local.net.folder import PARTNER_KEY_FILE
from local.net.loopback import LOOPBACK
from local.net.serving import serve
from local.partner.inbox import NAMESPACE, PartnerInbox
from local.partner.keys import PartnerKeys
from local.partner.webhook import PartnerWebhook, partner_app
from local.runtime.context import ServiceContext
from local.runtime.events import CloudEvents, PartnerAnswered
from local.runtime.fault_middleware import partner_faults
from local.runtime.partner_queue import ArrivalEvents, FaultyInbox

_PORT = 7090
_BUS_PORT = 5672


@dataclass(frozen=True)
class RunningPartner:
    """Both kinds of partner: a webhook at `url`, and a queue on the bus at `bus_url`."""

    webhook: PartnerWebhook
    inbox: PartnerInbox
    url: str
    bus_url: str

    def secrets(self) -> Mapping[str, str]:
        """Return the partner's secret in each kind, by the name of the kind."""
        return {
            "webhook": self.webhook.secret(self.url),
            "servicebus": self.inbox.secret(self.bus_url),
        }

    @property
    def received(self) -> int:
        """How many messages came to its webhook and its queue, valid or not."""
        return self.webhook.count + self.inbox.count


async def start_partner(stack: AsyncExitStack, context: ServiceContext) -> RunningPartner:
    """Serve the partner until the stack ends, with the keys that the cloud's folder holds."""
    keys = PartnerKeys.kept_in(context.folder)
    events = context.events
    webhook = PartnerWebhook(secret=keys.signing)
    inbox = PartnerInbox(
        key=keys.queue,
        audit=ArrivalEvents(events),
        availability=FaultyInbox(context.faults, events, NAMESPACE),
    )
    key_file = context.folder.kept(PARTNER_KEY_FILE, new_key)
    app = partner_app(webhook, key_file.read_text())
    # The first one sees what the faults make of an answer.
    app.middlewares.append(publishing_answers(events))
    app.middlewares.append(partner_faults(context.faults))
    url = await serve(stack, app, context.ports.bind("partner", _PORT), context.tls)
    stack.push_async_callback(inbox.bus.close)
    port = await inbox.bus.listen_on(context.ports.bind("partner_bus", _BUS_PORT, MAX_CONNECTIONS))
    return RunningPartner(webhook, inbox, url, f"sb://{LOOPBACK}:{port}")


def publishing_answers(events: CloudEvents) -> Middleware:
    """Publish how each message posted to the partner was answered."""

    @web.middleware
    async def publish(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST":
            return await handler(request)
        response = await handler(request)
        status = None if request.transport is None else response.status
        accepted = status is not None and 200 <= status < 300
        events.publish(PartnerAnswered(request.headers.get("webhook-id", ""), accepted, status))
        return response

    return publish

"""The link that an attach asks for, or the refusal of it."""

from __future__ import annotations

import logging
from dataclasses import replace

from local.bus.amqp import performatives as amqp
from local.bus.amqp.errors import (
    NOT_ALLOWED,
    NOT_IMPLEMENTED,
    AmqpError,
    EntityNotFoundError,
)
from local.bus.amqp.values import Symbol, ULong
from local.bus.broker.address import CBS, Address, parse_address
from local.bus.broker.queue import Queue
from local.bus.security.principal import Right
from local.bus.server.cbs import cbs_node
from local.bus.server.incoming import IncomingLink, Node, queue_node
from local.bus.server.link import Link, LinkSession
from local.bus.server.management import management_node
from local.bus.server.outgoing import QueueReceiver, ReplyLink
from local.bus.server.session_receiver import SessionReceiver
from local.bus.server.terminus import address_of, reply_address_of, session_filter_of

logger = logging.getLogger("local.bus")

# Source of the text: github.com/danielgerlag/workflow-core, issue 1217.
_NO_SESSIONS = (
    "A sessionful message receiver cannot be created on an entity that does not require sessions. "
    "Ensure RequiresSession is set to true when creating a Queue or Subscription to enable "
    "sessionful behavior."
)
# Source of the text: github.com/Azure/azure-service-bus, issue 326.
_SESSIONS_ONLY = (
    "It is not possible for an entity that requires sessions to create a non-sessionful message "
    "receiver."
)
MAX_REQUEST = 1024 * 1024  # a request may carry messages of the largest size to schedule


def attach_link(session: LinkSession, attach: amqp.Attach) -> Link:
    """Make the link and answer the attach. Raises AmqpError where it is refused.

    The attach of a session receiver is answered later, by the link.
    """
    text = address_of(attach)
    if text is None:
        raise AmqpError(NOT_IMPLEMENTED, "A link needs an address.")
    address = parse_address(text)
    link = _request_link(session, attach, address) or _queue_link(session, attach, address)
    # Logged only now: a name that is refused is the client's text, which no log needs.
    logger.debug("attach %s", address.path)
    if not isinstance(link, SessionReceiver):
        _answer(session, attach, link)
    return link


def refuse_link(session: LinkSession, attach: amqp.Attach, error: AmqpError) -> None:
    """Refuse as AMQP asks for it: an attach without source and target, then a detach."""
    sends = attach.role == amqp.RECEIVER
    session.send(
        replace(
            attach,
            role=not attach.role,
            source=None,
            target=None,
            unsettled=None,
            initial_delivery_count=0 if sends else None,
            properties=None,
        )
    )
    session.send(amqp.Detach(attach.handle, closed=True, error=error.wire()))


def _request_link(session: LinkSession, attach: amqp.Attach, address: Address) -> Link | None:
    node: Node
    if address.entity == CBS:
        node = cbs_node
    elif address.is_management:
        session.claims.require_any(address)
        node = management_node(_find(session, address))
    else:
        return None
    if attach.role == amqp.RECEIVER:
        return ReplyLink(session, attach, address, reply_address_of(attach))
    return IncomingLink(session, attach, address, None, node, MAX_REQUEST)


def _queue_link(session: LinkSession, attach: amqp.Attach, address: Address) -> Link:
    # Rights come before existence, so that nobody learns names of queues that are not theirs.
    right: Right = "listen" if attach.role == amqp.RECEIVER else "send"
    holder = session.claims.require(right, address, fresh=True)
    queue = _find(session, address)
    if attach.role == amqp.RECEIVER:
        if queue.forward_to is not None:
            raise AmqpError(NOT_ALLOWED, "The queue forwards its messages: none can be received.")
        wanted = session_filter_of(attach)
        if wanted is not None and queue.sessions is None:
            raise AmqpError(NOT_ALLOWED, _NO_SESSIONS)
        if wanted is None and queue.sessions is not None:
            raise AmqpError(NOT_ALLOWED, _SESSIONS_ONLY)
        session.namespace.availability.require(queue, "attach-receive")
        if wanted is not None:
            return SessionReceiver(session, attach, address, queue, holder, wanted)
        return QueueReceiver(session, attach, address, queue, holder)
    if queue.is_dead_letter:
        raise AmqpError(NOT_ALLOWED, "Nothing can be sent to a dead-letter queue.")
    session.namespace.availability.require(queue, "attach-send")
    limit = queue.spec.max_message_bytes
    return IncomingLink(session, attach, address, "send", queue_node(queue), limit, queue)


def _find(session: LinkSession, address: Address) -> Queue:
    queue = session.namespace.find(address)
    if queue is None:
        raise EntityNotFoundError(session.namespace.host, address.path)
    return queue


def _answer(session: LinkSession, attach: amqp.Attach, link: Link) -> None:
    is_incoming = isinstance(link, IncomingLink)
    size = ULong(link.limit) if isinstance(link, IncomingLink) else None
    session.send(
        replace(
            attach,
            role=not attach.role,
            unsettled=None,
            initial_delivery_count=None if is_incoming else 0,
            max_message_size=size,
            offered_capabilities=None,
            desired_capabilities=None,
            properties={Symbol("com.microsoft:max-message-batch-size"): size} if size else None,
        )
    )

"""Claims-based security: tokens put on a connection for an audience.

Source: OASIS AMQP Claims-Based Security 1.0, 5.1 (put-token), as Service Bus speaks it.
"""

from __future__ import annotations

from local.bus.amqp.errors import AmqpError, EntityNotFoundError, UnauthorizedError
from local.bus.amqp.values import Int, Value
from local.bus.broker.address import parse_address
from local.bus.server.link import Link
from local.bus.server.requests import read_request, send_response


def cbs_node(link: Link, _message_format: int | None, data: bytes) -> None:
    """Take a token, and respond whether it is accepted."""
    request = read_request(data)
    status, description = 202, "Accepted"
    audience = request.properties.get("name")
    try:
        if request.operation != "put-token":
            status, description = 501, "The operation is not supported."
        elif not isinstance(audience, str) or not isinstance(request.body, str):
            status, description = 400, "put-token needs a name and a token."
        else:
            link.session.claims.put(audience, request.body)
            # After the token, so that only who has one learns which names there are.
            link.session.namespace.require(parse_address(audience))
    except UnauthorizedError as error:
        status, description = 401, error.description
    except EntityNotFoundError as error:
        status, description = 404, error.description
    except AmqpError as error:
        status, description = 403, error.description
    properties: dict[Value, Value] = {
        "status-code": Int(status),
        "status-description": description,
    }
    send_response(link, request, properties, None)

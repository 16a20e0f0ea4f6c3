"""Access to a bus by the tokens of identities, decided by role assignments."""

from __future__ import annotations

from collections.abc import Mapping

from local.authorization.authorization import Authorization, Decision
from local.bus.amqp.errors import UnauthorizedError
from local.bus.security.principal import Principal, Right
from local.bus.security.sas import SAS_PREFIX
from local.deployment.resources import NamespaceSpec
from local.identity.tokens import InvalidTokenError, TokenIssuer

AUDIENCE = "https://servicebus.azure.net"
_NO_SAS = "LocalAuthDisabled: shared access signatures are disabled for the namespace."
# Azure's data actions; built-in roles grant them as Microsoft.ServiceBus/*/send/action and so on.
_ACTIONS: Mapping[Right, str] = {
    "send": "Microsoft.ServiceBus/namespaces/messages/send/action",
    "listen": "Microsoft.ServiceBus/namespaces/messages/receive/action",
    # Azure names none: who may manage is who has a role that permits everything of Service Bus.
    "manage": "Microsoft.ServiceBus/namespaces/manage/action",
}


class IdentityAccess:
    """Checks tokens of identities; role assignments decide their rights. There is no SAS."""

    def __init__(
        self, namespace: NamespaceSpec, issuer: TokenIssuer, authorization: Authorization
    ) -> None:
        self._namespace = namespace
        self._issuer = issuer
        self._authorization = authorization

    def authenticate(self, token: str, audience: str) -> Principal:  # noqa: ARG002 - a JWT is for no entity
        """Check signature, issuer, audience and expiry of a JWT; it is valid for any entity."""
        if token.startswith(SAS_PREFIX):
            raise UnauthorizedError(_NO_SAS)
        try:
            claims = self._issuer.verify(token, AUDIENCE)
        except InvalidTokenError as error:
            raise UnauthorizedError(f"InvalidTokenError: {error}.") from None
        return Principal("identity", claims.principal_id, claims.expires_on, claims.issued_to)

    def authenticate_plain(self, name: str, key: str) -> Principal:  # noqa: ARG002 - refused whatever they are
        """Refuse: an identity has no key."""
        raise UnauthorizedError(_NO_SAS)

    def is_allowed(self, principal: Principal, right: Right, queue: str) -> bool:
        """Ask the role assignments, at the queue."""
        if principal.kind != "identity":
            return False
        return decide(self._authorization, self._namespace, principal, right, queue).allowed


def decide(
    authorization: Authorization,
    namespace: NamespaceSpec,
    principal: Principal,
    right: Right,
    queue: str,
) -> Decision:
    """Decide by the roles of an identity at a queue."""
    return authorization.decide(principal.id, _ACTIONS[right], queue_id(namespace, queue))


def queue_id(namespace: NamespaceSpec, queue: str) -> str:
    """Return the resource id of a queue, topic or subscription; of the namespace for no name."""
    if not queue:
        return namespace.resource_id
    topic, found, subscription = queue.lower().partition("/subscriptions/")
    if found:
        return f"{namespace.resource_id}/topics/{topic}/subscriptions/{subscription}"
    # Of what is made at run time no scope is known, and so none that is another's.
    is_topic = any(one.name.lower() == topic for one in namespace.topics)
    return f"{namespace.resource_id}/{'topics' if is_topic else 'queues'}/{queue}"

"""The ways into a bus: identities with roles, shared access signatures, and both together."""

from __future__ import annotations

from collections.abc import Mapping

from local.authorization.authorization import Authorization, Decision
from local.bus.amqp.errors import UnauthorizedError
from local.bus.security.principal import AccessControl, Principal, Right
from local.bus.security.sas import SAS_PREFIX
from local.deployment.resources import NamespaceSpec
from local.identity.tokens import InvalidTokenError, TokenIssuer

AUDIENCE = "https://servicebus.azure.net"
_NO_SAS = "LocalAuthDisabled: shared access signatures are disabled for the namespace."
# Azure's data actions; built-in roles grant them as Microsoft.ServiceBus/*/send/action and so on.
_ACTIONS: Mapping[Right, str] = {
    "send": "Microsoft.ServiceBus/namespaces/messages/send/action",
    "listen": "Microsoft.ServiceBus/namespaces/messages/receive/action",
}


class IdentityAccess:
    """Tokens of identities, with rights decided by role assignments; no SAS."""

    def __init__(
        self, namespace: NamespaceSpec, issuer: TokenIssuer, authorization: Authorization
    ) -> None:
        self._namespace = namespace
        self._issuer = issuer
        self._authorization = authorization

    def authenticate(self, token: str, audience: str) -> Principal:  # noqa: ARG002 - a JWT names none
        """Check signature, issuer, audience and expiry of a JWT; it is good for any entity."""
        if token.startswith(SAS_PREFIX):
            raise UnauthorizedError(_NO_SAS)
        try:
            claims = self._issuer.verify(token, AUDIENCE)
        except InvalidTokenError as error:
            raise UnauthorizedError(f"InvalidTokenError: {error}.") from None
        return Principal("identity", claims.principal_id, claims.expires_on, claims.issued_to)

    def authenticate_plain(self, name: str, key: str) -> Principal:  # noqa: ARG002 - it has none
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
    """Return the resource id of a queue, or of the namespace where no queue is named."""
    return f"{namespace.resource_id}/queues/{queue}" if queue else namespace.resource_id


class CombinedAccess:
    """Identities and, where the namespace allows local authentication, SAS as well."""

    def __init__(
        self, namespace: NamespaceSpec, identities: AccessControl, sas: AccessControl
    ) -> None:
        self._namespace = namespace
        self._identities = identities
        self._sas = sas

    def authenticate(self, token: str, audience: str) -> Principal:
        """Check a token of either kind."""
        if not token.startswith(SAS_PREFIX):
            return self._identities.authenticate(token, audience)
        self._check_local_auth()
        return self._sas.authenticate(token, audience)

    def authenticate_plain(self, name: str, key: str) -> Principal:
        """Check the name and key of a SAS rule."""
        self._check_local_auth()
        return self._sas.authenticate_plain(name, key)

    def is_allowed(self, principal: Principal, right: Right, queue: str) -> bool:
        """Ask where the principal came from."""
        access = self._sas if principal.kind == "sas" else self._identities
        return access.is_allowed(principal, right, queue)

    def _check_local_auth(self) -> None:
        # Where the deployment disables local authentication, even a right key must not help.
        if not self._namespace.local_auth:
            raise UnauthorizedError(_NO_SAS)

"""What is left to do once the infrastructure stands: the ledger's tables, the partner's secret."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from ops.migrating import migrate
from ops.partner_secret import SECRET, NotSetError, patiently, set_partner, unseen
from ops.secret_place import SecretPlace
from ops.telling import tell

_DATABASE = "database-connection"
_PATIENCE = 900.0  # seconds: what Azure says a new role may take, and some more
_DAYS = 365
_LATER = "later, where the deployment can be reached: python -m ops provisioned"


def provisioned(environ: Mapping[str, str]) -> int:
    """Do it for the deployment that `azd` tells of; raises `NowhereError` where it tells of none.

    A private deployment is not reached from outside, so there it only says what is left.
    """
    ledger = SecretPlace.in_azure(_DATABASE, None, environ)
    partner = SecretPlace.in_azure(SECRET, None, environ)
    if environ.get("RELAY_NETWORK") == "private" and not environ.get("RELAY_INSIDE"):
        tell(f"the network is private; {_LATER}, with RELAY_INSIDE=1")
        return 0
    try:
        # The URL goes from the vault to the migration in memory, and nowhere else.
        migrated = migrate(asyncio.run(_value(ledger)), as_json=False)
        if migrated != 0:
            tell(f"is this machine's address among RELAY_ALLOWED_ADDRESSES? Else {_LATER}")
            return migrated
        if not sys.stdin.isatty():
            tell("there is no terminal to ask for the partner's secret: python -m ops secrets")
            return 0
        setting = set_partner(partner, _DAYS, replace=False, patience=_PATIENCE, read=unseen)
        asyncio.run(setting)
    except NotSetError as error:
        tell(f"error: {error}; {_LATER}")
        return 1
    return 0


async def _value(place: SecretPlace) -> str:
    async with place.client() as client:
        secret = await patiently(lambda: client.get_secret(place.secret.name), _PATIENCE)
    return secret.value or ""

"""The headers of a vault's responses.

Source: answers of Azure Key Vault as recorded in the tests of azure-sdk-for-js, sdk/keyvault.
"""

from __future__ import annotations

import ipaddress
import re

from aiohttp import web

from local.authorization.authorization import Decision
from local.deployment.resource_id import last
from local.deployment.resources import VaultSpec
from local.key_vault.errors import AUDIENCE

SERVICE_VERSION = "1.9.1652.1"  # of the service whose answers were recorded
_CLIENT_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


def every_response(
    request: web.Request, request_id: str, spec: VaultSpec, decision: Decision | None
) -> dict[str, str]:
    """Return what every response has; `decision` is None where none was made."""
    headers = {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "x-ms-keyvault-region": spec.location,
        "x-ms-request-id": request_id,
        "x-ms-keyvault-service-version": SERVICE_VERSION,
        "x-ms-keyvault-network-info": _network_info(request.remote),
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000;includeSubDomains",
    }
    given = request.headers.get("x-ms-client-request-id", "")
    # Only what is harmless in a header and a log is sent back.
    if _CLIENT_REQUEST_ID.fullmatch(given):
        headers["x-ms-client-request-id"] = given
    if decision is not None and decision.model == "rbac" and decision.by:
        headers["x-ms-keyvault-rbac-assignment-id"] = last(decision.by)
    return headers


def challenge(spec: VaultSpec) -> str:
    """Return the WWW-Authenticate of a response 401."""
    authority = f"https://login.microsoftonline.com/{spec.tenant_id}"
    return f'Bearer authorization="{authority}", resource="{AUDIENCE}"'


def _network_info(address: str | None) -> str:
    is_v6 = address is not None and ipaddress.ip_address(address).version == 6
    kind = ("Ipv6", "InterNetworkV6") if is_v6 else ("Ipv4", "InterNetwork")
    return f"conn_type={kind[0]};addr={address or '127.0.0.1'};act_addr_fam={kind[1]};"

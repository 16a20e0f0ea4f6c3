"""Lists in pages: at most 25 entries a page, and a link to the next one.

Source: Azure Key Vault REST API reference, Get Keys and Get Secrets, `maxresults` and `nextLink`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from local.key_vault.base64url import from_base64url, to_base64url
from local.key_vault.errors import KeyVaultError, bad_parameter

MAX_PAGE = 25
SIZE = "maxresults"
TOKEN = "$skiptoken"  # noqa: S105 - where the next page begins, nothing secret
_MARKER = "NextMarker"


@dataclass(frozen=True)
class PageRequest:
    """Which page a request wants; `after` is the last entry of the page before."""

    size: int = MAX_PAGE
    after: str | None = None


@dataclass(frozen=True)
class Entry:
    """An entry of a list; `marker` is the text that the next page follows on."""

    marker: str
    content: Mapping[str, object]


def parse(query: Mapping[str, str]) -> PageRequest:
    """Read the parameters of a list. Raises KeyVaultError (400)."""
    size = query.get(SIZE, str(MAX_PAGE))
    # In ASCII digits, and few of them: int() takes more than a parameter may be.
    if not (size.isascii() and size.isdigit() and len(size) < 4 and 1 <= int(size) <= MAX_PAGE):
        raise bad_parameter(f"Property '{SIZE}' must be a whole number from 1 to {MAX_PAGE}.")
    return PageRequest(int(size), _marker(query[TOKEN]) if TOKEN in query else None)


def page(
    entries: Sequence[Entry], wanted: PageRequest, url: str, api_version: str
) -> dict[str, object]:
    """Return a page of the list at `url`, whose entries are in the order of their markers."""
    # By comparison, so that a page can be continued after what has been deleted meanwhile.
    rest = [entry for entry in entries if wanted.after is None or entry.marker > wanted.after]
    shown = rest[: wanted.size]
    link = None
    if len(rest) > wanted.size:
        token = to_base64url(json.dumps({_MARKER: shown[-1].marker}).encode())
        # The page after has the same size: the SDKs follow the link as it is.
        parameters = {"api-version": api_version, TOKEN: token, SIZE: wanted.size}
        link = f"{url}?{urlencode(parameters, quote_via=quote, safe='$')}"
    return {"value": [entry.content for entry in shown], "nextLink": link}


def _marker(token: str) -> str:
    try:
        found = json.loads(from_base64url(token))
    except (KeyVaultError, ValueError, RecursionError):
        raise _invalid() from None
    if not isinstance(found, dict) or not isinstance(found.get(_MARKER), str):
        raise _invalid()
    return str(found[_MARKER])


def _invalid() -> KeyVaultError:
    return bad_parameter(f"The parameter '{TOKEN}' is not one of a link to a next page.")

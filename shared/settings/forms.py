"""The parsers of settings: each reads a text, or says in a `ValueError` what it must be.

None repeats the text: a value in the wrong setting may well be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from shared.azure.key_vault_id import KeyVaultId
from shared.azure.queue_name import is_queue_name
from shared.standards.addresses import is_loopback

_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)
_ENDPOINT = re.compile(r"sb://[A-Za-z0-9.-]+(:\d{1,5})?/?")
_PROXY = re.compile(r"http://[A-Za-z0-9.-]+:\d{1,5}/?", re.IGNORECASE)
_RATE = re.compile(r"\d{1,5}(\.\d{1,3})?", re.ASCII)
_LARGEST_RATE = 10_000
_BASE_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?/?")


def client_id(text: str) -> str:
    """Read the client id of an identity."""
    if not _GUID.fullmatch(text):
        raise ValueError("must be the client id of a managed identity, a GUID")
    return text


def key(text: str) -> KeyVaultId:
    """Read the URL of a key, without a version."""
    return KeyVaultId.parse(text, "keys")


def secret(text: str) -> KeyVaultId:
    """Read the URL of a secret, without a version."""
    return KeyVaultId.parse(text, "secrets")


def queue(text: str) -> str:
    """Read the name of a queue."""
    if not is_queue_name(text):
        raise ValueError("must be the name of a queue")
    return text


def host(text: str) -> str:
    """Read a host name."""
    if not _HOST.fullmatch(text):
        raise ValueError("must be a host name, like <namespace>.servicebus.windows.net")
    return text


def managed_identity(text: str) -> str:
    """Read how a trigger authenticates."""
    if text != "managedidentity":
        raise ValueError("must be managedidentity: the trigger authenticates by nothing else")
    return text


def endpoint(text: str) -> str:
    """Read where a bus is."""
    if not _ENDPOINT.fullmatch(text):
        raise ValueError("must look like sb://host:port")
    return text


def proxy(text: str) -> str:
    """Read the URL of a proxy, without a slash at its end."""
    # Without a password: it would stand in a setting, which whoever reads the deployment sees.
    if not _PROXY.fullmatch(text):
        raise ValueError("must look like http://host:port, without a user, password or path")
    return text.rstrip("/").lower()


def base_url(text: str) -> str:
    """Read the start of URLs; without the slash at its end."""
    if not _BASE_URL.fullmatch(text):
        raise ValueError("must look like https://host, without a path")
    url = urlsplit(text)
    # Callers send their keys there.
    if url.scheme.lower() != "https" and not is_loopback(url.hostname or ""):
        raise ValueError("must be https://, unless its host is loopback")
    return text.rstrip("/")


def file(text: str) -> Path:
    """Read the path of a file that exists."""
    path = Path(text)
    if not path.is_file():
        raise ValueError("must be the path of a file that exists")
    return path


def boolean(text: str) -> bool:
    """Read true or false."""
    if text.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return text.lower() == "true"


def rate(text: str) -> float:
    """Read a number of times a second, 0 for any number."""
    if not _RATE.fullmatch(text) or not (float(text) == 0 or float(text) <= _LARGEST_RATE):
        raise ValueError(
            f"must be a number from 0.001 to {_LARGEST_RATE} with three decimals at most, or 0"
        )
    return float(text)


def between(low: int, high: int) -> Callable[[str], int]:
    """Return a function that reads a whole number from `low` to `high`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,18}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read

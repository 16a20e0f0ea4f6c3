"""What makes a program trust the certificates of the local cloud, whatever it is written in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import certifi

BUNDLE_FILE = "ca-bundle.pem"
"""The local cloud's authority and the public ones, for programs that know one file only."""


def bundle(authority: bytes) -> bytes:
    """Return the public authorities with one more; all are PEM."""
    return Path(certifi.where()).read_bytes().rstrip() + b"\n\n" + authority


def trust_variables(ca_file: Path) -> Mapping[str, str]:
    """Return the variables; `ca_file` is the authority of a cloud, beside which the bundle is.

    `SSL_CERT_FILE` is for whatever uses OpenSSL's defaults (aiohttp, .NET on Linux, Go, Ruby),
    `REQUESTS_CA_BUNDLE` for requests, `CURL_CA_BUNDLE` for curl. They take the place of the public
    authorities; `NODE_EXTRA_CA_CERTS` adds to those of Node.
    """
    both = str(ca_file.with_name(BUNDLE_FILE))
    return {
        "CURL_CA_BUNDLE": both,
        "NODE_EXTRA_CA_CERTS": str(ca_file),
        "REQUESTS_CA_BUNDLE": both,
        "SSL_CERT_FILE": both,
    }

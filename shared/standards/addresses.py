"""Which hosts are on this machine, or next to it: judged by what a client connects to."""

from __future__ import annotations

import ipaddress

_PRIVATE = [
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
_LOCALHOST = frozenset({"localhost", "localhost."})


def is_loopback(host: str) -> bool:
    """Return whether `host`, as a client would look it up, is this machine itself.

    Only `localhost` and addresses in their usual form: any other name is the answer of a resolver,
    and `127.1` or `2130706433` is read in one way by one client and in another by the next.
    """
    if host.lower() in _LOCALHOST:
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def is_local(host: str) -> bool:
    """Return whether `host` is this machine or on its own link, such as 169.254.169.254.

    No proxy could reach the one that is meant.
    """
    address = _address(host)
    return is_loopback(host) or (address is not None and address.is_link_local)


def is_private(host: str) -> bool:
    """Return whether `host` is an address of a private network (RFC 1918, RFC 4193)."""
    address = _address(host)
    return address is not None and any(
        address.version == network.version and address in network for network in _PRIVATE
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address

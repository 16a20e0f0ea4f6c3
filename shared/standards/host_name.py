"""Which text can be looked up as the name of a host, before anybody connects to it."""

from __future__ import annotations

import ipaddress
import re

# Source: RFC 1035 section 2.3.4, RFC 1123 section 2.1. An underscore is not of them, but is
# looked up all the same.
_LONGEST = 253
_LONGEST_LABEL = 63
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?", re.ASCII)


def host_name_problem(host: str) -> str | None:
    """Return why `host`, an IP address or a name in ASCII, can never be looked up, or None.

    A resolver gets names in the form of IDNA, whose codec raises `UnicodeError` for labels that
    are empty or too long: that is an error of whoever wrote the name, found here before it meets
    a message. The text does not repeat the name.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return None
    labels = host.removesuffix(".").split(".")
    if not all(labels):
        return "has an empty label (two dots in a row, or a dot in front)"
    if any(len(label) > _LONGEST_LABEL for label in labels):
        return f"has a label of more than {_LONGEST_LABEL} characters"
    if len(host) > _LONGEST:
        return f"has more than {_LONGEST} characters"
    if not all(map(_LABEL.fullmatch, labels)):
        return "has characters that are not letters, digits or inner hyphens"
    if labels[-1].isdigit():
        return "ends in a number and is not an IP address"
    return None

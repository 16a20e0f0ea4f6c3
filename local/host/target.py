"""Request targets, parsed as by Kestrel, the web server of the Functions host.

aspnetcore: `Http1Connection.OnStartLine`, `PathNormalizer`, `UrlDecoder`, and `PathTokenizer` of
its routing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_ABSOLUTE = re.compile(r"https?://(?P<authority>[^/?#]*)(?P<rest>.*)", re.IGNORECASE)
_ENCODED = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
_SLASH = re.compile(rb"(%2[Ff])")


class BadTargetError(Exception):
    """A target that is refused with 400, whatever its route."""


def path_of(target: str, host: str) -> str:
    """Return the decoded path of a request's target, without dot segments.

    `%2F` stays as it is, and so does what is not UTF-8 once decoded. `host` is the Host header,
    which an absolute target must match. Raises BadTargetError.
    """
    if absolute := _ABSOLUTE.fullmatch(target):
        if absolute["authority"].lower() != host.lower():
            raise BadTargetError
        target = absolute["rest"]
        if not target.startswith("/"):
            target = f"/{target}"
    if not target.startswith("/") or not target.isascii():
        raise BadTargetError
    raw, _, _ = target.partition("?")
    decoded = _ENCODED.sub(lambda run: _decoded(run[0]), raw.encode())
    if b"\0" in decoded:
        raise BadTargetError
    return _without_dots(decoded.decode())


def segments(path: str) -> Sequence[str]:
    """Split a decoded path; a slash at its end is ignored, any other empty segment stays."""
    return path[1:].removesuffix("/").split("/") if len(path) > 1 else []


def _decoded(run: bytes) -> bytes:
    return b"".join(
        part if _SLASH.fullmatch(part) else _decoded_part(part) for part in _SLASH.split(run)
    )


def _decoded_part(part: bytes) -> bytes:
    raw_bytes = bytes.fromhex(part.replace(b"%", b"").decode())
    found, position = [], 0
    for character in raw_bytes.decode(errors="surrogateescape"):
        # What is UTF-8 is decoded; a byte that is not stays as it was written.
        width = 1 if "\udc80" <= character <= "\udcff" else len(character.encode())
        is_text = width > 1 or raw_bytes[position] < 0x80
        end = position + width
        found.append(raw_bytes[position:end] if is_text else part[3 * position : 3 * end])
        position = end
    return b"".join(found)


def _without_dots(path: str) -> str:
    """Resolve `.` and `..` (RFC 3986, section 5.2.4); no path leads above the root."""
    given = path[1:].split("/")
    kept: list[str] = []
    for segment in given:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if given[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)

"""base64url without padding, as JOSE and Key Vault write bytes (RFC 7515 section 2)."""

from __future__ import annotations

import pybase64

ALTERNATIVES = b"-_"
"""What it has instead of `+` and `/`."""
PLUS, SLASH = b"+/"
"""The characters of base64 that base64url does not have."""
_EQUALS = ord("=")
_PADDING = (b"", b"", b"==", b"=")  # by how many characters the last group of four has
LAST_CHARACTERS = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
"""What such a group may end in: characters whose spare bits, of which no byte is made, are zero."""


def encode(data: bytes | memoryview) -> str:
    """Return `data` as text."""
    return encode_ascii(data).decode("ascii")


def encode_groups(data: bytes | memoryview) -> bytes:
    """Return `data`, of a multiple of three bytes, as that text in ASCII: nothing is to be cut."""
    return pybase64.b64encode(data, ALTERNATIVES)


def encode_ascii(data: bytes | memoryview) -> bytes:
    """Return `data` as that text in ASCII."""
    text = pybase64.b64encode(data, ALTERNATIVES)
    return text.rstrip(b"=") if text.endswith(b"=") else text


def decode_ascii(text: bytes) -> bytes:
    """Return the data of a text in ASCII. Raises `ValueError`.

    Strict: no padding, no other alphabet, and no stray bits in the last character. So a value has
    one encoding only.
    """
    refuse_base64(text)
    return decode_unpadded(text)


def refuse_base64(text: bytes) -> None:
    """Raise `ValueError` where there are characters of base64 that base64url does not have."""
    if PLUS in text or SLASH in text or _EQUALS in text:
        raise ValueError("a character is not of the alphabet of base64url")


def decode_groups(text: bytes | memoryview) -> bytes:
    """Return the data of whole groups of four characters. Raises `ValueError`.

    Of a text that `refuse_base64` lets pass. Such a group is the only base64url of its three bytes.
    """
    # `validate` lets pass the three characters that `refuse_base64` refuses, and no others. (With
    # `padded=False` the library would be strict as well, and eight times slower.)
    return pybase64.b64decode(text, ALTERNATIVES, True)  # noqa: FBT003 - by name it takes a third longer


def decode_unpadded(text: bytes | memoryview) -> bytes:
    """Do as `decode_ascii`, with a text that is of one that `refuse_base64` has let pass.

    Apart from it so that many parts of a text are searched at once.
    """
    group = len(text) % 4
    if group and text[-1] not in LAST_CHARACTERS[group]:
        raise ValueError("it is not the one base64url of its value")
    return decode_groups(b"".join((text, _PADDING[group])) if group else text)

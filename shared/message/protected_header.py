"""The protected header of a sealed message (RFC 7516 section 4): JSON, in base64url.

The messages of one data key have the same header but for their ids. So the id is the last member,
and what is before it is encoded, and read, once for all of them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shared.errors import RelayError
from shared.message.formats import FIRST_FORMAT, Formats
from shared.message.message_id import is_message_id
from shared.standards.base64url import decode_ascii, encode_groups
from shared.standards.plain_text import is_writable

ALGORITHM = "RSA-OAEP-256"
ENCRYPTION = "A256GCM"

_MEMBERS = frozenset({"alg", "enc", "kid", "cty", "dkc", "mid"})
_FORMAT = "fmt"
_LATER_FORMAT = re.compile(r"[2-9]|[1-9][0-9]{1,3}", re.ASCII)
_MAX_CHARS = 8192
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
# Possessive throughout: the blanks behind a `;` could also be those in front of the next one, and
# an expression that tries both takes time exponential in their number.
_CONTENT_TYPE = re.compile(
    rf"{_WORD}/{_WORD}(?:[ \t]*+;[ \t]*+(?:{_WORD}=(?:{_WORD}|{_QUOTED}))?+)*+", re.ASCII
)
_MAX_CONTENT_TYPE = 255
_BEFORE_ID = b'"mid":"'
# By the length of the id: blanks fill the header up to a multiple of three bytes.
_ENDS = ('"} ', '"}', '"}  ')
# The end of a header with an id that is as long as a UUID, as all ids of the sender are: the id is
# whole groups of base64, and so is what is behind it.
USUAL_ID_CHARS = 48
USUAL_ID_BYTES = 36
AFTER_USUAL_ID = encode_groups(b'"} ')
USUAL_END_CHARS = USUAL_ID_CHARS + len(AFTER_USUAL_ID)
# How many beginnings: one for each content type and data key that is in use.
_REMEMBERED = 128


class RetiredFormatError(RelayError):
    """The header has a format that was accepted once."""


@dataclass(frozen=True)
class MessageHeader:
    """What a sealed message is bound to beside its bytes: its id and its content type.

    The id is of letters, digits, `_` and `-`, at most 80; the content type is a media type as in
    RFC 9110 section 8.3.1, at most 255 characters. Raises `ValueError` on anything else.
    """

    message_id: str
    content_type: str

    def __post_init__(self) -> None:
        # Both become HTTP header fields at the partner, so neither may end one or begin another.
        if not is_message_id(self.message_id):
            raise ValueError("the message id must be 1 to 80 letters, digits, _ and -")
        if len(self.content_type) > _MAX_CONTENT_TYPE or not _is_media_type(self.content_type):
            raise ValueError("the content type is not a media type such as text/plain")


@dataclass(frozen=True)
class HeaderFields:
    """What a header says beside the message id.

    `key_id` is the versioned URL of the vault's key; `commitment` is that of the data key; `format`
    is the number of the sealed message's format.
    """

    key_id: str
    content_type: str
    commitment: str
    format: int


def write_header(header: MessageHeader, key_id: str, commitment: str, number: int) -> bytes:
    """Return the header of a sealed message in a format, encoded."""
    message_id = header.message_id
    end = message_id + _ENDS[len(message_id) % 3]
    beginning = header_beginning(key_id, header.content_type, commitment, number)
    return beginning + encode_groups(end.encode())


def read_header(encoded: bytes, accepted: Formats) -> tuple[str, HeaderFields]:
    """Return the message id of an encoded header and what else it says.

    Raises `NewerFormatError` for a format above those accepted, of which nothing else is looked at,
    `RetiredFormatError` for one below them, and `ValueError` on anything that is not the header of
    a sealed message.
    """
    if len(encoded) > _MAX_CHARS:
        raise ValueError("the protected header is too long")
    return _parse(decode_ascii(encoded), accepted)


@lru_cache(_REMEMBERED)
def header_beginning(key_id: str, content_type: str, commitment: str, number: int) -> bytes:
    """Return a header up to its id, encoded: whole groups, so that the id does not change them."""
    members = {
        "alg": ALGORITHM,
        "enc": ENCRYPTION,
        "kid": key_id,
        "cty": content_type,
        "dkc": commitment,
    }
    if number != FIRST_FORMAT:
        members[_FORMAT] = str(number)
    text = json.dumps(members, separators=(",", ":")).encode().removesuffix(b"}") + b","
    blanks = b" " * (-(len(text) + len(_BEFORE_ID)) % 3)
    return encode_groups(text + blanks + _BEFORE_ID)


def fields_of_beginning(encoded: bytes) -> HeaderFields | None:
    """Return what all headers say that begin so, None where that depends on how they go on.

    `encoded` is a header without its last `USUAL_END_CHARS`.

    It does not, where `header_beginning` writes it: the id is then in a text of its own, and
    whatever is an id leaves everything else as it is.
    """
    if len(encoded) + USUAL_END_CHARS > _MAX_CHARS:
        return None
    try:
        _, fields = _parse(decode_ascii(encoded) + b'id"}', accepted=None)
    except ValueError:
        return None
    written = header_beginning(fields.key_id, fields.content_type, fields.commitment, fields.format)
    return fields if written == encoded else None


@lru_cache(_REMEMBERED)
def _is_media_type(text: str) -> bool:
    return bool(_CONTENT_TYPE.fullmatch(text))


def _parse(text: bytes, accepted: Formats | None) -> tuple[str, HeaderFields]:
    try:
        members = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise ValueError("the protected header is not JSON") from None
    number = _format(members)
    if accepted:
        _check(number, accepted)
    # Only the members that are written, all of them strings: `zip`, `crit`, `jku` and whatever
    # else a header may carry have no meaning here, so nothing can be smuggled in by them.
    if not isinstance(members, dict) or members.keys() - {_FORMAT} != _MEMBERS:
        raise ValueError("the protected header does not have the members of a sealed message")
    if not all(isinstance(value, str) for value in members.values()):
        raise ValueError("the protected header has a member that is not text")
    # JSON can say what is not a character: nothing that encodes, logs or compares it would take it.
    if not all(map(is_writable, members.values())):
        raise ValueError("the protected header has half a surrogate pair or a NUL in it")
    if (members["alg"], members["enc"]) != (ALGORITHM, ENCRYPTION):
        raise ValueError(f"it is not sealed with {ALGORITHM} and {ENCRYPTION}")
    header = MessageHeader(members["mid"], members["cty"])
    fields = HeaderFields(members["kid"], header.content_type, members["dkc"], number)
    return header.message_id, fields


def _format(members: Any) -> int:
    if not isinstance(members, dict) or _FORMAT not in members:
        return FIRST_FORMAT
    text = members[_FORMAT]
    # Written in one way only, and never for format 1: otherwise one message would have two headers.
    if not isinstance(text, str) or not _LATER_FORMAT.fullmatch(text):
        raise ValueError("the format is not a number from 2 to 9999")
    return int(text)


def _check(number: int, accepted: Formats) -> None:
    try:
        accepted.check(number)
    except ValueError as error:
        raise RetiredFormatError(str(error)) from None


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a member is there twice")
    return found

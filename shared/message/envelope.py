"""The sealed message: JWE in compact serialization (RFC 7516). Pure: no I/O, no clock."""

from __future__ import annotations

import hmac
import os
from binascii import b2a_base64
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pybase64 import b64decode, b64encode

from shared.errors import RelayError
from shared.message.beginnings import Beginnings
from shared.message.formats import FIRST_FORMAT, KNOWN_FORMATS, Formats
from shared.message.protected_header import (
    AFTER_USUAL_ID,
    USUAL_ID_BYTES,
    HeaderFields,
    MessageHeader,
    RetiredFormatError,
    header_beginning,
    read_header,
    write_header,
)
from shared.standards.base64url import (
    ALTERNATIVES,
    LAST_CHARACTERS,
    PLUS,
    SLASH,
    decode_groups,
    decode_unpadded,
    encode,
    encode_ascii,
    encode_groups,
    refuse_base64,
)

MEDIA_TYPE = "application/jose"

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
# Of nonce and tag in base64url. The nonce's are whole groups of four.
_NONCE_CHARS = 16
_TAG_CHARS = 22
_DOT = ord(".")
_GROUP_BYTES, _GROUP_CHARS = 3, 4
# What a short text is decoded to: id, nonce, ciphertext with what fills its last group, and a tag
# with two zeros, which make it whole groups. Slices that are made once: to make one takes as long
# as to cut by it.
_ID = slice(USUAL_ID_BYTES)
_NONCE = slice(_ID.stop, _ID.stop + _NONCE_BYTES)
_BODY_AND_TAG = slice(_NONCE.stop, -2)
_TAG = slice(-_TAG_BYTES - 2, -2)
_TAG_TEXT = slice(-_TAG_CHARS, None)
# By how many characters the text of a ciphertext ends that are not a group of four: what makes them
# one, and where then what is decoded of it is.
_FILL_CHARS = (b"", b"", b"AA", b"A")
_BODIES = tuple(slice(_NONCE.stop, _TAG.start - fill) for fill in (0, 0, 2, 1))
# What `seal` encodes: nonce, ciphertext and tag. By how many bytes a ciphertext ends that are not a
# group of three: what makes them one, and where its text then is.
_FILL = (b"", bytes(2), bytes(1))
_NONCE_TEXT = slice(_NONCE_CHARS)
_TEXTS = tuple(slice(_NONCE_CHARS, -_TAG_CHARS - 2 - len(fill)) for fill in _FILL)
_ENDED_TAG_TEXT = slice(-_TAG_CHARS - 2, -2)
# A ciphertext up to so many bytes, or characters, is encoded and decoded as one text with all that
# is short: to copy it takes less time than another call of the library.
_SMALL = 4096

# glibc gives large blocks back to the system when they are freed, and has each mapped and cleared
# anew: for 190 KB that takes longer than all the rest. Once a larger block was freed, it keeps
# as much (mallopt(3), M_MMAP_THRESHOLD).
_freed = bytes(8 * 1024 * 1024)
del _freed

Fault = Literal["malformed", "retired-format", "wrong-key", "tampered"]


class DecryptionError(RelayError):
    """A sealed message that can never be opened here.

    `fault` is `malformed` (not a sealed message at all), `retired-format` (of a format that is not
    accepted any more), `wrong-key` (sealed with a key that is not this receiver's) or `tampered`
    (authentication failed, or it is sealed for another message id).
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault: Fault = fault
        self.detail = detail


@dataclass(frozen=True)
class WrappedKey:
    """A data key as Key Vault encrypted it. `key_id` is the versioned URL of the vault's key."""

    key_id: str
    ciphertext: bytes

    @property
    def version(self) -> str:
        """The last part of `key_id`: which version of the vault's key it was."""
        return self.key_id.rpartition("/")[2]

    @cached_property
    def between_dots(self) -> bytes:
        """`ciphertext` in base64url and its dots, as all messages of the data key have it."""
        return b".%b." % encode_ascii(self.ciphertext)


class DataKey:
    """A 256-bit AES key in memory, with its commitment. It is in no text of itself.

    `last_header` is how the last header began that was sealed with it: nearly all begin so. In
    front of that is what it depends on: wrapped key, content type and format.
    """

    __slots__ = ("_secret", "aead", "commitment", "last_header")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _KEY_BYTES:
            raise DecryptionError("wrong-key", f"the data key is not {_KEY_BYTES} bytes long")
        self._secret = secret
        self.aead = AESGCM(secret)
        self.last_header: tuple[WrappedKey | None, str, int, bytes] = (None, "", 0, b"")
        # AES-GCM does not commit to its key: without this, one ciphertext could be made to open
        # under two keys. HMAC-SHA256 is collision resistant, so a header names exactly one key.
        self.commitment = encode(hmac.digest(secret, b"sealed-relay/1 data key", sha256))

    @classmethod
    def generate(cls) -> DataKey:
        """Make a new one from the operating system's random source."""
        return cls(os.urandom(_KEY_BYTES))

    @property
    def secret(self) -> bytes:
        """The key itself, for Key Vault to encrypt."""
        return self._secret

    def receipt_mac(self, text: str) -> str:
        """Return a MAC of `text` under this key: HMAC-SHA256, in base64url."""
        return encode(hmac.digest(self._secret, b"sealed-relay/1 text" + text.encode(), sha256))


@dataclass(eq=False, slots=True)
class SealedMessage:
    """A parsed sealed message, not yet opened: nothing in it is to be trusted."""

    message_id: str
    fields: HeaderFields
    wrapped: WrappedKey
    _associated: bytes = field(repr=False)
    _nonce: bytes = field(repr=False)
    _ciphertext: bytes = field(repr=False)

    @classmethod
    def from_token(cls, token: bytes | str, accepted: Formats = KNOWN_FORMATS) -> SealedMessage:
        """Parse a compact JWE of a format that is accepted.

        Raises `NewerFormatError` for a later one, of which nothing else is looked at, and
        `DecryptionError` (`malformed`, `retired-format`) on anything else.
        """
        # What `seal` makes under a key that was met, in half of the time of `_parse`. Anything
        # else, and all that is malformed, is for `_parse`, which says what it is. This and `seal`
        # are done for each message, and a call of Python's own takes a tenth of what AES-GCM does.
        # So they call the library directly.
        if isinstance(token, str):
            token = token.encode(errors="replace")  # what is not ASCII is malformed in any case
        beginning = _beginnings.last
        if not token.startswith(beginning.text):
            beginning = _beginnings.of(token[: token.find(b".")])
        if not (known := beginning.known) or known.format not in accepted.numbers:
            return cls._parse(token, accepted)
        begin = known.begin
        end = len(token) - _TAG_CHARS - 1
        size = end - begin
        spare = size % _GROUP_CHARS
        if (
            size < 0
            or not token.startswith(known.of_key, known.id_end)
            or token[begin - 1] != _DOT
            or token[end] != _DOT
            or (spare and token[end - 1] not in LAST_CHARACTERS[spare])
            or PLUS in token
            or SLASH in token
        ):
            return cls._parse(token, accepted)
        apart = begin if size <= _SMALL else end - spare
        text = b"".join(
            (
                token[known.id],
                token[known.nonce],
                token[apart:end],
                _FILL_CHARS[spare],
                token[_TAG_TEXT],
                b"AA",
            )
        )
        try:
            # Without `=`, which would be padding at the end of a text only, and here that is a tag
            # or refused by `decode_groups`.
            decoded = b64decode(text, ALTERNATIVES, True)  # noqa: FBT003 - as in `decode_groups`
            groups = b"" if apart == begin else decode_groups(memoryview(token)[begin:apart])
        except ValueError:  # also where there are more than five parts
            return cls._parse(token, accepted)
        message_id = decoded[_ID]
        if (
            not message_id.replace(b"-", b"").isalnum()  # as a UUID is
            or not decoded.endswith(b"\0\0")  # which no stray bits of the tag's text change
        ):
            return cls._parse(token, accepted)
        rest = decoded[_BODIES[spare]] + decoded[_TAG] if spare else decoded[_BODY_AND_TAG]
        # One by one: a call of `__init__` takes longer than all of them.
        message = cls.__new__(cls)
        message.message_id = message_id.decode()
        message.fields = known.fields
        message.wrapped = known.wrapped
        message._associated = token[known.header]  # noqa: SLF001 - of its own
        message._nonce = decoded[_NONCE]  # noqa: SLF001 - of its own
        message._ciphertext = groups + rest if groups else rest  # noqa: SLF001 - of its own
        return message

    @classmethod
    def _parse(cls, token: bytes, accepted: Formats) -> SealedMessage:
        """Parse any token, part by part; raise as `from_token`."""
        try:
            return cls._parts(token, accepted)
        except RetiredFormatError as error:
            raise DecryptionError("retired-format", str(error)) from None
        except ValueError as error:
            raise DecryptionError("malformed", str(error)) from None

    @classmethod
    def _parts(cls, token: bytes, accepted: Formats) -> SealedMessage:
        # Not `split`, which looks at a large ciphertext byte by byte.
        first = token.find(b".")
        second = token.find(b".", first + 1)
        third = token.find(b".", second + 1)
        fourth = token.find(b".", third + 1)
        five = 0 <= first < second < third < fourth
        if not five or token.find(b".", fourth + 1) > 0:
            raise ValueError("a sealed message has five parts")
        associated = token[:first]
        message_id, fields = read_header(associated, accepted)
        if third - second - 1 != _NONCE_CHARS:
            raise ValueError("the nonce is not 96 bits long")
        # A shorter tag would be easier to guess; GCM itself would accept it.
        if len(token) - fourth - 1 != _TAG_CHARS:
            raise ValueError("the tag is not 128 bits long")
        refuse_base64(token)
        nonce_and_tag = decode_unpadded(token[second + 1 : third] + token[fourth + 1 :])
        message = cls(
            message_id,
            fields,
            WrappedKey(fields.key_id, decode_unpadded(token[first + 1 : second])),
            associated,
            nonce_and_tag[:_NONCE_BYTES],
            decode_unpadded(memoryview(token)[third + 1 : fourth]) + nonce_and_tag[_NONCE_BYTES:],
        )
        _beginnings.of(associated).remember(token[first : second + 1], message.wrapped)
        return message

    @property
    def header(self) -> MessageHeader:
        """What it is bound to."""
        return MessageHeader(self.message_id, self.fields.content_type)

    def open(self, key: DataKey) -> bytes:
        """Return the payload. Raises `DecryptionError` for another key or a changed bit."""
        # Both are public, in the headers of messages: the time of a comparison reveals nothing.
        if key.commitment != self.fields.commitment:
            raise DecryptionError("tampered", "the key commitment does not match the data key")
        try:
            return key.aead.decrypt(self._nonce, self._ciphertext, self._associated)
        except InvalidTag:
            raise DecryptionError("tampered", "the message does not authenticate") from None


def seal(
    payload: bytes,
    header: MessageHeader,
    key: DataKey,
    wrapped: WrappedKey,
    emitted: int = FIRST_FORMAT,
) -> bytes:
    """Seal `payload` as a compact JWE, in ASCII. `wrapped` is `key` as Key Vault encrypted it.

    `emitted` is the number of the format, one that this code knows.

    The protected header is the associated data (RFC 7516 section 5.1), so the id, the content
    type, the key's version and the format cannot be exchanged between messages.
    """
    message_id = header.message_id
    if len(message_id) == USUAL_ID_BYTES:
        of, content_type, number, beginning = key.last_header
        if of is not wrapped or content_type != header.content_type or number != emitted:
            content_type = header.content_type
            beginning = header_beginning(wrapped.key_id, content_type, key.commitment, emitted)
            key.last_header = wrapped, content_type, emitted, beginning
        # For so few bytes this takes half the time of `b64encode`, and the alphabet is the same
        # here: base64's own two characters are for six bits that no character of an id ends in.
        text = b2a_base64(message_id.encode(), newline=False)
        protected = b"".join((beginning, text, AFTER_USUAL_ID))
    else:
        protected = write_header(header, wrapped.key_id, key.commitment, emitted)
    # Random and 96 bits long (NIST SP 800-38D section 8.2.2): a key seals at most 2^20 messages, so
    # two are alike with a chance below 2^-57, and processes need no counter that they share. Drawn
    # when it is used: of nonces in stock, a copy of the process would use the same ones.
    nonce = os.urandom(_NONCE_BYTES)
    ciphertext = key.aead.encrypt(nonce, payload, protected)
    size = len(payload)
    spare = size % _GROUP_BYTES
    if size > _SMALL:
        groups = encode_groups(memoryview(ciphertext)[: size - spare])
        rest = ciphertext[size - spare : size]
    else:
        groups, rest = b"", ciphertext[:size]
    text = b64encode(
        b"".join((nonce, rest, _FILL[spare], ciphertext[size:], b"\0\0")), ALTERNATIVES
    )
    return b"".join(
        (
            protected,
            wrapped.between_dots,
            text[_NONCE_TEXT],
            b".",
            groups,
            text[_TEXTS[spare]],
            b".",
            text[_ENDED_TAG_TEXT],
        )
    )


_beginnings: Beginnings[WrappedKey] = Beginnings()

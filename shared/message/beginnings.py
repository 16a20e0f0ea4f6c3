"""How sealed messages begin: alike, all those of one data key and one content type.

What is the same in each of them is read and checked once, and compared after that.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Generic, TypeVar

from shared.message.protected_header import (
    AFTER_USUAL_ID,
    USUAL_END_CHARS,
    USUAL_ID_CHARS,
    HeaderFields,
    fields_of_beginning,
)

Key = TypeVar("Key")
_REMEMBERED = 128
_NONCE_PART = 17  # characters of a nonce, with the dot behind it
_MAX_KEY_CHARS = 1024  # an RSA key of 4096 bits makes 683


class Known(Generic[Key]):
    """A header up to its id, and where the rest is in a token that has the same wrapped key.

    `of_key` is the end of the header, and the wrapped key with the dots around it. It begins at
    `id_end`, and the ciphertext at `begin`; `header`, `id` and `nonce` are slices of the token,
    made here since to make one takes as long as to cut by it.
    """

    __slots__ = (
        "begin",
        "fields",
        "format",
        "header",
        "id",
        "id_end",
        "nonce",
        "of_key",
        "wrapped",
    )

    def __init__(self, fields: HeaderFields, wrapped: Key, of_key: bytes, id_end: int) -> None:
        self.fields = fields
        self.format = fields.format
        self.wrapped = wrapped
        self.of_key = of_key
        self.id_end = id_end
        self.header = slice(id_end + len(AFTER_USUAL_ID))
        self.id = slice(id_end - USUAL_ID_CHARS, id_end)
        nonce = id_end + len(of_key)
        self.begin = nonce + _NONCE_PART
        self.nonce = slice(nonce, self.begin - 1)


class Beginning(Generic[Key]):
    """What the tokens have in common that begin with `text`, which is a header up to its id.

    `known` is of the last of them that was parsed, None before. It is compared whole, so it only
    saves the time of decoding the same again.
    """

    __slots__ = ("_fields", "known", "text")

    def __init__(self, text: bytes, fields: HeaderFields | None) -> None:
        self.text = text
        self._fields = fields
        self.known: Known[Key] | None = None

    def remember(self, between_dots: bytes, wrapped: Key) -> None:
        """Remember the wrapped key of a token, and how it is written with the dots around it.

        Not one that is too long for a key, since others can put anything there; nor that of a
        beginning that is not of the usual form.
        """
        if self._fields and len(between_dots) <= _MAX_KEY_CHARS:
            id_end = len(self.text) + USUAL_ID_CHARS
            self.known = Known(self._fields, wrapped, AFTER_USUAL_ID + between_dots, id_end)


class Beginnings(Generic[Key]):
    """The beginnings of tokens. The last usual one is at hand: most come one after the other."""

    def __init__(self) -> None:
        # A header has no dot, so no token of a sealed message begins so.
        self.last: Beginning[Key] = Beginning(b".", None)
        self._unusual: Beginning[Key] = Beginning(b".", None)
        self._usual = lru_cache(_REMEMBERED)(self._read)

    def of(self, header: bytes) -> Beginning[Key]:
        """Return the beginning of an encoded header."""
        found = self._usual(header[:-USUAL_END_CHARS])
        if found is None:
            return self._unusual
        self.last = found
        return found

    def _read(self, text: bytes) -> Beginning[Key] | None:
        fields = fields_of_beginning(text)
        return Beginning(text, fields) if fields else None

from __future__ import annotations

import base64
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.standards.base64url import (
    decode_ascii,
    decode_groups,
    encode,
    encode_ascii,
    refuse_base64,
)

ALPHABET = string.ascii_letters + string.digits + "-_"


def decoded_slowly(text: bytes) -> bytes:
    """Decode by the standard library, strictly: what a text is decoded to has to encode to it."""
    if not re.fullmatch(rb"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text:
        raise ValueError("not canonical")
    return data


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"\xfb\xff", "-_8")],
)
def test_bytes_are_written_in_the_alphabet_of_urls_and_without_padding(
    data: bytes, text: str
) -> None:
    assert encode(data) == encode(memoryview(data)) == text
    assert encode_ascii(data) == text.encode()


@given(data=st.binary(max_size=2000))
def test_what_is_written_is_read(data: bytes) -> None:
    assert decode_ascii(encode_ascii(data)) == data


@given(
    text=st.binary(max_size=70)
    | st.text(ALPHABET, max_size=70).map(str.encode)
    | st.text(ALPHABET + "+/= \n.~", max_size=70).map(str.encode)
)
@example(b"Zg==")
@example(b"Zm8=")
@example(b"Zh")
@example(b"Zm9")
@example(b"-+_/")
@example(b"Zm9v\n")
@example("ä".encode())
def test_the_same_is_read_as_by_the_slow_way(text: bytes) -> None:
    try:
        expected = decoded_slowly(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"base64|[Bb]ase64|[Pp]adding"):
            decode_ascii(text)
    else:
        assert decode_ascii(text) == expected


@pytest.mark.parametrize("length", [1, 2, 3, 4, 46, 47, 48, 300, 4000])
def test_no_other_last_character_is_read_as_the_same(length: int) -> None:
    text = encode_ascii(bytes(length))
    for other in range(256):
        changed = text[:-1] + bytes([other])
        try:
            data = decode_ascii(changed)
        except ValueError:
            continue
        assert encode_ascii(data) == changed


def refused_or_decoded(text: bytes) -> bytes:
    """Decode as a sealed message is: searched as a whole, decoded in parts of whole groups."""
    refuse_base64(text)
    return decode_groups(memoryview(text))


OUTSIDE = [*b"+/=\n\r \t.,~", 0, 0x7F, 0x80, 0xC3, 0xFF]
REFUSED = r"base64|[Bb]ase64|[Pp]adding"
# The library decodes a text with an alphabet of its own in pieces of 16 KB.
PIECE = 16 * 1024


@pytest.mark.parametrize("character", OUTSIDE)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 46, 47, 48, 510, 511, 512])
def test_a_character_outside_the_alphabet_is_refused_wherever_it_is(
    size: int, character: int
) -> None:
    text = bytearray(encode_ascii(bytes(range(256)) * 2)[: -(-size * 4 // 3)])
    for at in range(len(text)):
        changed = text.copy()
        changed[at] = character
        for decode in (decode_ascii, refused_or_decoded):
            with pytest.raises(ValueError, match=REFUSED):
                decode(bytes(changed))


@pytest.mark.parametrize(
    "inserted", [b"=", b"==", b"===", b"+", b"/", b"A=", b"A==", b"AA==", b"."]
)
def test_a_large_text_is_refused_as_well_where_its_pieces_meet(inserted: bytes) -> None:
    text = b"-_Az" * (2 * PIECE // 4 + 3)
    for border in (PIECE, 2 * PIECE, len(text)):
        for at in range(border - 6, min(border + 6, len(text)) + 1):
            for end in (at, at + len(inserted)):
                changed = text[:at] + inserted + text[end:]
                for decode in (decode_ascii, refused_or_decoded):
                    with pytest.raises(ValueError, match=REFUSED):
                        decode(changed)


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_groups_are_whole(missing: int) -> None:
    for count in (1, 2, 16, PIECE // 4, PIECE // 4 + 1):
        text = b"AAAA" * count
        assert decode_groups(text) == bytes(3 * count)
        with pytest.raises(ValueError, match=REFUSED):
            decode_groups(text[:-missing])


def test_a_large_text_is_read_as_by_the_standard_library() -> None:
    data = bytes(range(251)) * 200
    for size in (*range(PIECE // 4 * 3 - 3, PIECE // 4 * 3 + 4), len(data)):
        assert decode_ascii(encode_ascii(data[:size])) == data[:size]
        assert encode_ascii(data[:size]) == base64.urlsafe_b64encode(data[:size]).rstrip(b"=")

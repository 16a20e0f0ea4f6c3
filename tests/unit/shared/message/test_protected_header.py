from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.message.formats import KNOWN_FORMATS, Formats, NewerFormatError
from shared.message.message_id import is_message_id
from shared.message.protected_header import (
    AFTER_USUAL_ID,
    USUAL_END_CHARS,
    HeaderFields,
    MessageHeader,
    RetiredFormatError,
    fields_of_beginning,
    read_header,
    write_header,
)
from shared.standards.base64url import decode_ascii, encode_ascii

KEY_ID = "https://vault.example/keys/payload/0123456789abcdef0123456789abcdef"
COMMITMENT = "c" * 43
UUID = "8f14e45f-ceea-467f-9b2d-1a2b3c4d5e6f"
MEMBERS = {
    "alg": "RSA-OAEP-256",
    "enc": "A256GCM",
    "kid": KEY_ID,
    "cty": "text/plain",
    "dkc": COMMITMENT,
    "mid": UUID,
}


def read_slowly(text: bytes) -> tuple[str, HeaderFields] | None:
    """Read a header by nothing but the rules; None if it is not one of a sealed message."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
        members = dict(pairs)
        header = MessageHeader(members["mid"], members["cty"])
        json.dumps(pairs, ensure_ascii=False).encode()
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    rules = (
        len(members) == len(pairs) == 6,
        members.get("alg") == "RSA-OAEP-256",
        members.get("enc") == "A256GCM",
        isinstance(members.get("kid"), str) and "\0" not in members["kid"],
        isinstance(members.get("dkc"), str) and "\0" not in members["dkc"],
    )
    if not all(rules):
        return None
    fields = HeaderFields(members["kid"], header.content_type, members["dkc"], 1)
    return header.message_id, fields


def read(text: bytes) -> tuple[str, HeaderFields] | None:
    encoded = encode_ascii(text)
    try:
        found = read_header(encoded, KNOWN_FORMATS)
    except ValueError:
        found = None
    assert read_by_beginning(encoded) in (None, found), "by its beginning it is another"
    return found


def read_by_beginning(encoded: bytes) -> tuple[str, HeaderFields] | None:
    fields = fields_of_beginning(encoded[:-USUAL_END_CHARS])
    end = encoded[-USUAL_END_CHARS:]
    if len(end) < USUAL_END_CHARS or not end.endswith(AFTER_USUAL_ID):
        return None
    message_id = decode_ascii(end[: -len(AFTER_USUAL_ID)]).decode("latin-1")
    return (message_id, fields) if is_message_id(message_id) and fields else None


def written(message_id: str = UUID, content_type: str = "text/plain", kid: str = KEY_ID) -> bytes:
    return write_header(MessageHeader(message_id, content_type), kid, COMMITMENT, 1)


@given(
    message_id=st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True) | st.uuids().map(str),
    content_type=st.sampled_from(["a/b", "text/plain", 'a/b; c="\\" ,\\"mid\\":\\""']),
    kid=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
)
def test_what_is_written_is_read(message_id: str, content_type: str, kid: str) -> None:
    encoded = written(message_id, content_type, kid)
    fields = HeaderFields(kid, content_type, COMMITMENT, 1)
    assert read_header(encoded, KNOWN_FORMATS) == (message_id, fields)
    if len(message_id) == len(UUID):
        assert read_by_beginning(encoded) == (message_id, fields)
    assert len(encoded) % 4 == 0, "nothing is left over that the next part of a token could be"


@given(st.data())
def test_an_altered_header_is_read_as_by_the_rules_alone(data: st.DataObject) -> None:
    text = bytearray(b'{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"https://k","cty":"a/b",')
    text += b'"dkc":"c", "mid":"%s"} ' % UUID.encode()
    read(bytes(text))  # so that its beginning may be known
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 3))
        text[at : at + cut] = data.draw(
            st.sampled_from(
                [b"", b'"', b"\\", b" ", b"}", b",", b'\\"', b'"mid":"', b"\0", b"\xff"]
            )
            | st.binary(max_size=2)
        )
    assert read(bytes(text)) == read_slowly(bytes(text))


@example('x","mid":"')
@example("x\\")
@example('x\\","mid":"y')
@given(st.text('"\\,:{}mid x', max_size=30))
def test_nothing_in_a_name_of_a_key_passes_for_the_end_of_it(kid: str) -> None:
    plain = json.dumps(MEMBERS | {"kid": kid}, separators=(",", ":")).encode()
    raw = plain.replace(json.dumps(kid).encode(), b'"%s"' % kid.encode(), 1)
    for text in (plain, raw, raw[:-1] + b'"} '):
        assert read(text) == read_slowly(text)
        assert read(text) == read_slowly(text)


@pytest.mark.parametrize(
    "change", [{"zip": "DEF"}, {"mid": "a b"}, {"cty": "no type"}, {"alg": ""}]
)
def test_a_beginning_that_is_known_lets_nothing_else_pass(change: dict[str, Any]) -> None:
    assert read_header(written(), KNOWN_FORMATS)
    text = json.dumps(MEMBERS | change, separators=(",", ":")).encode()
    assert read(text) is None


@pytest.mark.parametrize(
    "end", [b'"}', b'"}  ', b'"} x', b'","mid":"x"} ', b'","zip":"x"} ', b'\\"} ', b'"}}']
)
def test_a_known_beginning_with_another_end_is_read_as_by_the_rules_alone(end: bytes) -> None:
    read_header(written(), KNOWN_FORMATS)
    beginning = b'{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"k","cty":"a/b","dkc":"c","mid":"'
    for id_ in (UUID.encode(), b"x" * 35, b"x" * 37):
        text = beginning + id_ + end
        assert read(text) == read_slowly(text)


def test_headers_that_are_written_otherwise_are_read_as_well() -> None:
    text = json.dumps(dict(reversed(MEMBERS.items())), indent=2).encode()
    assert read(text) == (UUID, HeaderFields(KEY_ID, "text/plain", COMMITMENT, 1))


def test_a_header_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(ValueError, match="too long"):
        read_header(b"A" * 8193, KNOWN_FORMATS)
    assert fields_of_beginning(written(kid="k" * 6200)[:-USUAL_END_CHARS]) is None


def test_a_header_is_accepted_in_its_format_only() -> None:
    second = Formats(frozenset({1, 2}))
    encoded = write_header(MessageHeader(UUID, "a/b"), KEY_ID, COMMITMENT, 2)
    assert read_header(encoded, second)[1].format == 2
    with pytest.raises(NewerFormatError):
        read_header(encoded, KNOWN_FORMATS)
    with pytest.raises(RetiredFormatError):
        read_header(written(), Formats(frozenset({2})))

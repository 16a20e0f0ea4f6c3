from __future__ import annotations

import itertools
import json
import string
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pybase64
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.message import envelope
from shared.message.beginnings import Beginnings
from shared.message.envelope import (
    DataKey,
    DecryptionError,
    SealedMessage,
    WrappedKey,
    seal,
)
from shared.message.formats import KNOWN_FORMATS, Formats, NewerFormatError
from shared.message.protected_header import MessageHeader, write_header
from shared.standards.base64url import decode_ascii
from tests import jose

OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
KEY_ID = "https://vault.example/keys/payload/0123456789abcdef0123456789abcdef"
CONTEXT = MessageHeader("8f14e45f-ceea-467f-9b2d-1a2b3c4d5e6f", "text/plain; charset=utf-8")
KEY = DataKey(bytes(range(32)))
BOTH = Formats(frozenset({1, 2}))
WRAPPED = WrappedKey(KEY_ID, b"as the vault encrypted it")
CONTENT_TYPES = st.sampled_from(
    ["application/json", "image/png", 'multipart/mixed; boundary="a b"', "text/x-a.b+c;q=1"]
)


def sealed(
    payload: bytes = b"payload",
    header: MessageHeader = CONTEXT,
    key: DataKey = KEY,
    wrapped: WrappedKey = WRAPPED,
) -> str:
    return seal(payload, header, key, wrapped).decode("ascii")


def opened(token: str, key: DataKey = KEY) -> bytes:
    return SealedMessage.from_token(token).open(key)


def opened_part_by_part(token: str) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(envelope, "_beginnings", Beginnings())
        return opened(token)


def opened_by_vault(token: str) -> bytes:
    """As the receiver does it: the wrapped key that a token names decides what opens it."""
    message = SealedMessage.from_token(token)
    if message.wrapped != WRAPPED:
        raise DecryptionError("wrong-key", "the vault has no such key")
    return message.open(KEY)


def encoded(data: bytes) -> str:
    return pybase64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_header(token: str, **changes: Any) -> str:
    protected, rest = token.split(".", 1)
    header = json.loads(pybase64.urlsafe_b64decode(protected + "=" * (-len(protected) % 4)))
    header = {k: v for k, v in (header | changes).items() if v is not ...}
    return f"{encoded(json.dumps(header).encode())}.{rest}"


@pytest.mark.parametrize("size", [*range(8), *range(3060, 3080), *range(4090, 4100), 190_000])
def test_a_payload_of_any_size_opens_by_both_paths(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    token = sealed(payload[:size])
    assert opened_part_by_part(token) == opened(token) == opened(token) == payload[:size]


def test_messages_of_many_keys_open_in_any_order() -> None:
    keys = [WrappedKey(f"{KEY_ID}-{n}", bytes([n]) * 384) for n in range(3)]
    tokens = [(key, sealed(b"payload", wrapped=key)) for key in keys for _ in range(2)]
    for key, token in [*tokens, *reversed(tokens), *tokens]:
        message = SealedMessage.from_token(token)
        assert (message.wrapped, message.open(KEY)) == (key, b"payload")


@given(payload=st.binary(max_size=5000), content_type=CONTENT_TYPES)
def test_what_is_sealed_opens(payload: bytes, content_type: str) -> None:
    header = MessageHeader("id-1", content_type)
    message = SealedMessage.from_token(sealed(payload, header, KEY, WRAPPED))
    assert (message.header, message.wrapped) == (header, WRAPPED)
    assert message.open(KEY) == payload


@given(message_id=st.from_regex(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{36}", fullmatch=True))
def test_a_header_is_written_alike_for_every_id(message_id: str) -> None:
    header = MessageHeader(message_id, "text/plain")
    protected = seal(b"", header, KEY, WRAPPED).partition(b".")[0]
    assert protected == write_header(header, KEY_ID, KEY.commitment, 1)
    assert protected.decode() == encoded(decode_ascii(protected))


def test_whatever_changes_between_two_messages_is_in_the_header_of_the_second() -> None:
    wrapped = [WRAPPED, WrappedKey(KEY_ID[:-1] + "0", b"the same key by another version")]
    keys = [KEY, DataKey(bytes(32))]
    every = [*itertools.product(keys, wrapped, ["a/b", "a/c"], [1, 2])]
    for one, other in itertools.permutations(every, 2):
        for key, by, content_type, number in (one, other):
            header = MessageHeader(CONTEXT.message_id, content_type)
            message = SealedMessage.from_token(seal(b"payload", header, key, by, number), BOTH)
            assert (message.header, message.wrapped, message.fields.format) == (header, by, number)
            assert message.open(key) == b"payload"


@given(data=st.data(), payload=st.binary(min_size=1, max_size=60))
def test_no_altered_character_is_accepted(data: st.DataObject, payload: bytes) -> None:
    token = sealed(payload, CONTEXT, KEY, WRAPPED)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="latin-1").filter(lambda c: c != token[at]))
    changed = token[:at] + other + token[at + 1 :]
    with pytest.raises(DecryptionError):
        opened_by_vault(changed)


@pytest.mark.parametrize(
    "payload", [b"", b"every byte here", b"every byte too.", b"every byte counts"]
)
def test_no_altered_byte_is_accepted_anywhere_in_a_token(payload: bytes) -> None:
    token = sealed(payload, CONTEXT, KEY, WRAPPED)
    alphabet = "AZaz09QgwMEI-_.=+/ \n\x00~\x7f\xe4"
    accepted = []
    for at, was in enumerate(token):
        for other in alphabet:
            if other == was:
                continue
            try:
                opened_by_vault(token[:at] + other + token[at + 1 :])
                accepted.append((at, other))
            except DecryptionError:
                pass
    assert accepted == []


@pytest.mark.parametrize("payload", [b"1234", b"12345", b"123456"])
def test_no_part_of_a_token_may_be_longer_or_shorter(payload: bytes) -> None:
    token = sealed(payload, CONTEXT, KEY, WRAPPED)
    assert opened_by_vault(token) == payload
    dots = [at for at, one in enumerate(token) if one == "."]
    ends = [0, *dots, *(dot + 1 for dot in dots), len(token)]
    accepted = []
    for at in ends:
        for more in (
            "A",
            "AA",
            "AAA",
            "AAAA",
            "=",
            "==",
            "===",
            "A=",
            "A==",
            ".",
            "..",
            "A.",
            ".A",
        ):
            accepted += _those_that_open([token[:at] + more + token[at:]])
        for fewer in range(1, 5):
            accepted += _those_that_open(
                [token[:at] + token[at + fewer :]] if at < len(token) else []
            )
            accepted += _those_that_open([token[: at - fewer] + token[at:]] if at >= fewer else [])
    assert accepted == []


def _those_that_open(tokens: list[str]) -> list[str]:
    found = []
    for token in tokens:
        with suppress(DecryptionError):
            opened_by_vault(token)
            found.append(token)
    return found


@pytest.mark.parametrize("at", [0, 100, -1])
def test_a_text_with_half_a_surrogate_pair_is_malformed(at: int) -> None:
    token = sealed()
    with pytest.raises(DecryptionError, match="malformed"):
        opened(f"{token[:at]}\ud800{token[at:]}")


@given(token=st.text() | st.text(alphabet=string.ascii_letters + "-_.", max_size=300))
def test_no_text_escapes_the_domain_error(token: str) -> None:
    with pytest.raises(DecryptionError):
        opened(token)


def outcome(token: str | bytes, accepted: Formats) -> object:
    try:
        message = SealedMessage.from_token(token, accepted)
        read = message.header, message.fields, message.wrapped
        return (*read, message.open(KEY))
    except (DecryptionError, NewerFormatError) as error:
        return str(error)


def outcome_part_by_part(token: str | bytes, accepted: Formats) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(envelope, "_beginnings", Beginnings())
        return outcome(token, accepted)


@settings(max_examples=500)
@given(
    payload=st.binary(max_size=70),
    number=st.sampled_from([1, 2]),
    accepted=st.sampled_from([KNOWN_FORMATS, Formats(frozenset({1, 2})), Formats(frozenset({2}))]),
    data=st.data(),
)
def test_under_a_key_that_was_met_a_token_means_what_it_means_part_by_part(
    payload: bytes, number: int, accepted: Formats, data: st.DataObject
) -> None:
    token = seal(payload, CONTEXT, KEY, WRAPPED, number)
    SealedMessage.from_token(token, Formats(frozenset({number})))  # so that its key is met
    assert outcome(token, accepted) == outcome_part_by_part(token, accepted)
    changed = bytearray(token)
    dots = [at for at, one in enumerate(token) if one == ord(".")]
    for _ in range(data.draw(st.integers(1, 2))):
        near = data.draw(st.sampled_from([*dots, len(token)])) + data.draw(st.integers(-4, 4))
        at = data.draw(st.just(near) | st.integers(0, len(token)))
        put = data.draw(st.sampled_from([b"", *(bytes([one]) for one in b"A.B-_+/= wgQk\xff\0")]))
        changed[at : at + data.draw(st.integers(0, 2))] = put
    assert outcome(bytes(changed), accepted) == outcome_part_by_part(bytes(changed), accepted)


@pytest.mark.parametrize("size", [*range(7), 4096, 4097, 20_000, 20_001])
def test_stray_bits_of_a_last_character_are_refused_under_a_key_that_was_met(size: int) -> None:
    token = sealed(bytes(size))
    opened(token)
    for end in (len(token), token.rindex(".")):
        for other in set(string.ascii_letters + string.digits + "-_") - {token[end - 1]}:
            with pytest.raises(DecryptionError):
                opened(token[: end - 1] + other + token[end:])


def test_only_the_first_message_of_a_data_key_is_read_part_by_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[bytes] = []
    parse = SealedMessage._parse

    def counted(token: bytes, accepted: Formats) -> SealedMessage:
        read.append(token)
        return parse(token, accepted)

    monkeypatch.setattr(SealedMessage, "_parse", counted)
    wrapped = WrappedKey(f"{KEY_ID}-counted", bytes(384))
    for number in (*range(50), 5000, 5001, 5002, 60_000):
        header = MessageHeader(f"{number:036d}", "a/b")
        assert opened(sealed(bytes(number), header, KEY, wrapped)) == bytes(number)
    assert len(read) == 1


def test_a_wrapped_key_that_is_too_long_takes_no_place_in_memory() -> None:
    wrapped = WrappedKey(f"{KEY_ID}-long", bytes(2000))
    token = sealed(b"payload", CONTEXT, KEY, wrapped)
    for _ in range(2):
        assert opened(token) == b"payload"
    assert envelope._beginnings.of(token.partition(".")[0].encode()).known is None


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)


@given(
    changes=st.dictionaries(
        st.sampled_from(["alg", "enc", "kid", "mid", "cty", "dkc", "zip", "crit", "jku"]),
        json_values | st.just(...),
        min_size=1,
    )
)
def test_no_other_header_is_accepted(changes: dict[str, Any]) -> None:
    with pytest.raises(DecryptionError):
        opened(with_header(sealed(), **changes))


@given(cut=st.integers(0, 400))
def test_no_part_of_a_token_is_accepted(cut: int) -> None:
    token = sealed()
    with pytest.raises(DecryptionError):
        opened(token[: min(cut, len(token) - 1)])


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff",
        b"[" * 5000,
        b'{"alg":"RSA-OAEP-256","mid":"a","mid":"b"}',
    ],
)
def test_a_header_that_is_not_that_of_a_sealed_message_is_malformed(header: bytes) -> None:
    rest = sealed().split(".", 1)[1]
    with pytest.raises(DecryptionError) as caught:
        opened(f"{encoded(header)}.{rest}")
    assert caught.value.fault == "malformed"


@pytest.mark.parametrize("change", [{"mid": "other"}, {"cty": "text/html"}, {"kid": KEY_ID[:-1]}])
def test_the_header_is_bound_to_the_payload(change: dict[str, str]) -> None:
    with pytest.raises(DecryptionError) as caught:
        opened(with_header(sealed(), **change))
    assert caught.value.fault == "tampered"


def test_a_later_format_is_sealed_and_opened_once_it_is_known() -> None:
    token = seal(b"payload", CONTEXT, KEY, WRAPPED, 2)
    assert SealedMessage.from_token(token, BOTH).open(KEY) == b"payload"
    first = seal(b"payload", CONTEXT, KEY, WRAPPED)
    assert SealedMessage.from_token(first, BOTH).open(KEY) == b"payload"


def test_the_format_is_bound_to_the_payload() -> None:
    for emitted, change in ((2, "3"), (2, ...), (1, "2")):
        token = with_header(seal(b"payload", CONTEXT, KEY, WRAPPED, emitted).decode(), fmt=change)
        message = SealedMessage.from_token(token, Formats(frozenset({1, 2, 3})))
        with pytest.raises(DecryptionError, match="tampered"):
            message.open(KEY)


@pytest.mark.parametrize("number", ["2", "3", "10", "9999"])
@pytest.mark.parametrize("change", [{}, {"dkc": ...}, {"alg": "none", "more": {"a": [1]}}])
def test_of_a_newer_format_nothing_but_its_number_is_read(
    number: str, change: dict[str, Any]
) -> None:
    token = with_header(sealed(), fmt=number, **change)
    with pytest.raises(NewerFormatError) as caught:
        opened(token)
    assert caught.value.number == int(number)


@pytest.mark.parametrize(
    "number",
    [
        *("", "0", "1", "01", "02", "10000", "-2", "+2", "2.0", "2 ", " 2", "2\n", "1e3", "x"),
        *("\u0662", "2" * 5000, 2, 2.0, True, None, ["2"], {"2": 2}),
    ],
)
def test_what_is_not_the_number_of_a_later_format_is_malformed(number: object) -> None:
    token = with_header(sealed(), fmt=number)
    with pytest.raises(DecryptionError) as caught:
        SealedMessage.from_token(token, BOTH)
    assert caught.value.fault == "malformed"


@pytest.mark.parametrize(("numbers", "sealed"), [({2}, 1), ({1, 3}, 2), ({9}, 8)])
def test_a_format_that_is_not_accepted_any_more_is_refused_as_such(
    numbers: set[int], sealed: int
) -> None:
    token = seal(b"payload", CONTEXT, KEY, WRAPPED, sealed)
    with pytest.raises(DecryptionError) as caught:
        SealedMessage.from_token(token, Formats(frozenset(numbers)))
    assert caught.value.fault == "retired-format"
    assert caught.value.detail == f"format {sealed} is not accepted any more"


def test_a_newer_format_excuses_no_header_that_is_not_one() -> None:
    twice = encoded(b'{"fmt":"2","fmt":"2"}')
    for token in ("", "2", f"{encoded(b'[]')}.a.b.c.d", f"{twice}.a.b.c.d", "e.a.b.c.d"):
        with pytest.raises(DecryptionError, match="malformed"):
            opened(token)


def test_parts_of_two_messages_do_not_mix() -> None:
    one = sealed(b"payload", MessageHeader("one", "a/b"), KEY, WRAPPED).split(".")
    two = sealed(b"payload", MessageHeader("two", "a/b"), KEY, WRAPPED).split(".")
    with pytest.raises(DecryptionError):
        opened(".".join(one[:2] + two[2:]))


def test_another_data_key_is_recognized_by_its_commitment() -> None:
    with pytest.raises(DecryptionError, match="commitment"):
        opened(sealed(), DataKey(bytes(32)))


def test_a_data_key_of_another_size_is_refused() -> None:
    with pytest.raises(DecryptionError):
        DataKey(bytes(16))


@pytest.mark.parametrize("message_id", ["", "a" * 81, "a.1", "a b", "a\r\nx: y", "ä"])
def test_a_message_id_that_could_be_more_than_an_id_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="message id"):
        MessageHeader(message_id, "a/b")


@pytest.mark.parametrize(
    "content_type", ["", "text", "a/b\r\nx: y", "a/b; c=ä", "a/" + "b" * 255, "a/b,c/d", "a/ b"]
)
def test_a_content_type_that_is_none_is_refused(content_type: str) -> None:
    with pytest.raises(ValueError, match="content type"):
        MessageHeader("id", content_type)


def test_nothing_secret_is_in_what_is_printed() -> None:
    message = SealedMessage.from_token(sealed(b"planted payload", CONTEXT, KEY, WRAPPED))
    shown = f"{KEY!r} {KEY} {message!r}"
    assert "planted" not in shown
    assert KEY.secret.hex() not in shown
    assert repr(KEY.secret)[2:-1] not in shown


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def wrap(private_key: rsa.RSAPrivateKey, key: DataKey) -> WrappedKey:
    return WrappedKey(KEY_ID, private_key.public_key().encrypt(key.secret, OAEP))


@pytest.mark.parametrize("open_by", [jose.open_by_jwcrypto, jose.open_by_joserfc])
def test_any_jose_library_opens_it(
    private_key: rsa.RSAPrivateKey, open_by: Callable[[str, rsa.RSAPrivateKey], bytes]
) -> None:
    token = sealed(b"\x00 payload \xff", CONTEXT, KEY, wrap(private_key, KEY))
    assert open_by(token, private_key) == b"\x00 payload \xff"


@pytest.mark.parametrize("seal_by", [jose.seal_by_jwcrypto, jose.seal_by_joserfc])
def test_what_any_jose_library_seals_opens(
    private_key: rsa.RSAPrivateKey,
    seal_by: Callable[[bytes, MessageHeader, rsa.RSAPrivateKey, str], str],
) -> None:
    message = SealedMessage.from_token(seal_by(b"\x00\xff", CONTEXT, private_key, KEY_ID))
    assert message.header == CONTEXT
    assert (
        message.open(DataKey(private_key.decrypt(message.wrapped.ciphertext, OAEP))) == b"\x00\xff"
    )

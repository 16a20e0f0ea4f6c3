"""Envelopes of others, beside AES-GCM alone: the AWS Encryption SDK, joserfc, Tink, Confluent's.

Each seals and opens with a data key that is at hand, as a cache gives it: no network. Those that
are not installed are named and left out.
"""

from __future__ import annotations

import importlib
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pybase64
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.message.envelope import DataKey, SealedMessage, WrappedKey, seal
from shared.message.protected_header import MessageHeader

SIZES: Mapping[str, int] = {"1 KB": 1024, "16 KB": 16 * 1024, "190 KB": 190_000}
RELAY, BASE64 = "Sealed Relay", "base64 alone, there and back"
_FLOOR = "AES-GCM alone"
_ROUNDS = 10


@dataclass(frozen=True)
class Envelope:
    """Seals a payload, and opens what it sealed."""

    seal: Callable[[bytes], Any]
    open: Callable[[Any], bytes]


def measure(seconds: float) -> dict[str, dict[str, float] | str]:
    """Return the time of seal + open over that of AES-GCM alone, by envelope and size.

    Each takes `seconds` for each size; a text instead of figures says why there are none.
    """
    found: dict[str, dict[str, float] | str] = {}
    made: dict[str, Envelope] = {}
    for name, make in ENVELOPES.items():
        try:
            made[name] = make()
        except ImportError as error:
            found[name] = f"not installed: {error.name}"
    for size, count in SIZES.items():
        best = _best({**made, _FLOOR: _aes_gcm()}, os.urandom(count), seconds)
        for name in made:
            over = found.setdefault(name, {})
            assert isinstance(over, dict)  # noqa: S101 - what has a text was not made
            over[size] = best[name] / best[_FLOOR]
    return found


def _best(envelopes: Mapping[str, Envelope], payload: bytes, seconds: float) -> dict[str, float]:
    """Return the shortest time of each for one seal and one open.

    In turns, so that whatever else the machine does meets all of them.
    """
    for name, envelope in envelopes.items():
        if envelope.open(envelope.seal(payload)) != payload:
            raise ValueError(f"{name} does not open what it sealed")
    best = dict.fromkeys(envelopes, math.inf)
    for _ in range(_ROUNDS):
        for name, envelope in envelopes.items():
            best[name] = min(best[name], _mean(envelope, payload, seconds / _ROUNDS))
    return best


def _mean(envelope: Envelope, payload: bytes, seconds: float) -> float:
    count, begun = 0, time.perf_counter()
    while (taken := time.perf_counter() - begun) < seconds or not count:
        envelope.open(envelope.seal(payload))
        count += 1
    return taken / count


def _aes_gcm() -> Envelope:
    aead = AESGCM(AESGCM.generate_key(256))

    def sealed(payload: bytes) -> tuple[bytes, bytes]:
        nonce = os.urandom(12)
        return nonce, aead.encrypt(nonce, payload, None)

    return Envelope(sealed, lambda one: aead.decrypt(one[0], one[1], None))


def _base64() -> Envelope:
    return Envelope(pybase64.b64encode_as_string, pybase64.b64decode)


def _relay() -> Envelope:
    key = DataKey.generate()
    wrapped = WrappedKey("https://v.vault.azure.net/keys/payload/" + 32 * "0", os.urandom(384))
    header = MessageHeader("11111111-1111-4111-8111-111111111111", "application/octet-stream")
    return Envelope(
        lambda payload: seal(payload, header, key, wrapped),
        lambda token: SealedMessage.from_token(token).open(key),
    )


def _joserfc() -> Envelope:
    jwe = importlib.import_module("joserfc.jwe")
    key = importlib.import_module("joserfc.jwk").OctKey.generate_key(256)
    header = {"alg": "dir", "enc": "A256GCM"}
    registry = jwe.JWERegistry()
    registry.max_ciphertext_length = 2 * max(SIZES.values())  # by default it opens 64 KB
    return Envelope(
        lambda payload: jwe.encrypt_compact(header, payload, key, registry=registry),
        lambda token: bytes(jwe.decrypt_compact(token, key, registry=registry).plaintext),
    )


def _tink() -> Envelope:
    tink, aead = importlib.import_module("tink"), importlib.import_module("tink.aead")
    aead.register()
    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    primitive = handle.primitive(aead.Aead)
    return Envelope(
        lambda payload: primitive.encrypt(payload, b""),
        lambda sealed: bytes(primitive.decrypt(sealed, b"")),
    )


def _confluent() -> Envelope:
    """Return what its executor of payload encryption does with a data key of its cache."""
    of = importlib.import_module(
        "confluent_kafka.schema_registry.rules.encryption.encrypt_executor"
    )
    cryptor = of.Cryptor(of.DekAlgorithm.AES256_GCM)
    key = cryptor.generate_key()
    return Envelope(
        lambda payload: cryptor.encrypt(key, payload, b""),
        lambda sealed: bytes(cryptor.decrypt(key, sealed, b"")),
    )


def _aws() -> Envelope:
    """Return the AWS Encryption SDK, unsigned, with its cache of data keys."""
    sdk = importlib.import_module("aws_encryption_sdk")
    raw = importlib.import_module("aws_encryption_sdk.key_providers.raw")
    of = importlib.import_module("aws_encryption_sdk.identifiers")
    wrapping = importlib.import_module("aws_encryption_sdk.internal.crypto.wrapping_keys")

    class Provider(raw.RawMasterKeyProvider):  # type: ignore[misc, name-defined]
        """One wrapping key in memory."""

        provider_id = "bench"

        def __init__(self) -> None:
            super().__init__()
            self._key = wrapping.WrappingKey(
                wrapping_algorithm=of.WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING,
                wrapping_key=os.urandom(32),
                wrapping_key_type=of.EncryptionKeyType.SYMMETRIC,
            )

        def _get_raw_key(self, key_id: object) -> object:
            del key_id
            return self._key

    provider = Provider()
    provider.add_master_key("bench")
    client = sdk.EncryptionSDKClient(
        commitment_policy=of.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )
    manager = sdk.CachingCryptoMaterialsManager(
        master_key_provider=provider,
        cache=sdk.LocalCryptoMaterialsCache(100),
        max_age=600.0,
        max_messages_encrypted=2**20,
    )
    unsigned = of.Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY

    def sealed(payload: bytes) -> bytes:
        return bytes(
            client.encrypt(source=payload, materials_manager=manager, algorithm=unsigned)[0]
        )

    return Envelope(
        sealed, lambda one: bytes(client.decrypt(source=one, materials_manager=manager)[0])
    )


ENVELOPES: Mapping[str, Callable[[], Envelope]] = {
    RELAY: _relay,
    BASE64: _base64,
    "Tink AEAD": _tink,
    "Confluent payload encryption": _confluent,
    "joserfc, direct key": _joserfc,
    "AWS Encryption SDK, unsigned, cached": _aws,
}

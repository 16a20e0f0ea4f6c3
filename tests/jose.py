"""Seal and open by other JOSE libraries, as a program in another language would."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwe
from joserfc._rfc7516.models import JWEEncModel
from joserfc._rfc7518.jwe_encs import GCMEncModel
from joserfc.jwk import RSAKey
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from shared.message.envelope import DataKey
from shared.message.protected_header import ALGORITHM, ENCRYPTION, MessageHeader


def open_by_jwcrypto(token: str, key: rsa.RSAPrivateKey) -> bytes:
    message = JWE()
    message.deserialize(token, JWK.from_pyca(key))
    payload: bytes = message.payload
    return payload


def open_by_joserfc(token: str, key: rsa.RSAPrivateKey) -> bytes:
    opened = jwe.decrypt_compact(token, _joserfc_key(key), registry=_Registry(None))
    payload = opened.plaintext
    assert payload is not None
    return payload


def seal_by_jwcrypto(
    payload: bytes, context: MessageHeader, key: rsa.RSAPrivateKey, kid: str
) -> str:
    data_key = DataKey.generate()
    message = JWE(payload, protected=json.dumps(_header(context, data_key, kid)))
    message.cek = data_key.secret
    message.add_recipient(JWK.from_pyca(key.public_key()))
    token: str = message.serialize(compact=True)
    return token


def seal_by_joserfc(
    payload: bytes, context: MessageHeader, key: rsa.RSAPrivateKey, kid: str
) -> str:
    data_key = DataKey.generate()
    header = _header(context, data_key, kid)
    return jwe.encrypt_compact(header, payload, _joserfc_key(key), registry=_Registry(data_key))


def _header(context: MessageHeader, data_key: DataKey, kid: str) -> dict[str, str]:
    return {
        "alg": ALGORITHM,
        "enc": ENCRYPTION,
        "kid": kid,
        "mid": context.message_id,
        "cty": context.content_type,
        "dkc": data_key.commitment,
    }


def _joserfc_key(key: rsa.RSAPrivateKey) -> RSAKey:
    return RSAKey.import_key(JWK.from_pyca(key).export(as_dict=True))


class _Encryption(GCMEncModel):
    """A256GCM under a content encryption key that is chosen before, so that it can be named."""

    def __init__(self, data_key: DataKey) -> None:
        super().__init__(256)
        self._data_key = data_key

    def generate_cek(self) -> bytes:
        return self._data_key.secret


class _Registry(jwe.JWERegistry):
    max_ciphertext_length = 1024 * 1024

    def __init__(self, data_key: DataKey | None) -> None:
        super().__init__(algorithms=[ALGORITHM, ENCRYPTION], strict_check_header=False)
        self._data_key = data_key

    def get_enc(self, name: str) -> JWEEncModel:
        return _Encryption(self._data_key) if self._data_key else super().get_enc(name)

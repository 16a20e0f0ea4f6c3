from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.message.envelope import DataKey, SealedMessage, WrappedKey, seal
from shared.message.protected_header import MessageHeader

KEY = DataKey.generate()
WRAPPED = WrappedKey("https://vault.example/keys/payload/1", b"wrapped")
HEADER = MessageHeader("id", "a/b")


def nonce_of(_: object = None) -> bytes:
    return SealedMessage.from_token(seal(b"", HEADER, KEY, WRAPPED))._nonce


def test_no_nonce_is_used_twice() -> None:
    with ThreadPoolExecutor(8) as threads:
        nonces = list(threads.map(nonce_of, range(5000)))
    assert len(set(nonces)) == len(nonces)
    assert {len(nonce) for nonce in nonces} == {12}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # threads of other tests
def test_a_copy_of_the_process_has_other_nonces() -> None:
    nonce_of()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, nonce_of())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with os.fdopen(writer, "wb"), os.fdopen(reader, "rb") as read:
        assert read.read(12) != nonce_of()

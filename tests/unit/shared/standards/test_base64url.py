from __future__ import annotations

import pytest

from shared.standards.base64url import encode


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"\xfb\xff", "-_8")],
)
def test_bytes_are_written_in_the_alphabet_of_urls_and_without_padding(
    data: bytes, text: str
) -> None:
    assert encode(data) == encode(memoryview(data)) == text

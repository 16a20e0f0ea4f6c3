from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.standards.plain_text import encodable, is_writable, writable


@given(st.text(st.characters(exclude_categories=[]) | st.sampled_from("\x00\ud800\udfff")))
def test_what_is_writable_is_utf_8_without_nul(text: str) -> None:
    assert is_writable(writable(text))
    assert b"\x00" not in writable(text).encode()
    if is_writable(text):
        assert writable(text) == text
    assert len(writable(text)) == len(text)


def test_any_value_has_a_text() -> None:
    assert writable(7) == "7"
    assert writable("a\x00b\ud83d") == "a\ufffdb\ufffd"
    assert writable("\U0001f600") == "\U0001f600"
    assert encodable("a\x00b\ud83d\U0001f600") == "a\x00b?\U0001f600"
    assert encodable(7) == "7"

from __future__ import annotations

import pytest

from local.cli.messages import payload_lines


@pytest.mark.parametrize(
    ("payload", "lines"),
    [
        (b'{"order":\n 4711}', ['{"order":', " 4711}"]),
        ("Grüße\x1b[2J".encode(), ["Grüße\\x1b[2J"]),
        (b"\x00", ["(binary, 1 bytes; --output FILE writes them)"]),
        (b"\xff" * 2000, ["(binary, 2,000 bytes; --output FILE writes them)"]),
        (b"x" * 5000, ["x" * 4000, "... (1,000 characters more; --output FILE writes all)"]),
    ],
)
def test_a_payload_is_shown_as_text_where_it_is_text(payload: bytes, lines: list[str]) -> None:
    assert payload_lines(payload) == lines

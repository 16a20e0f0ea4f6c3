from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from local.net.query import whole_number


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 7),
        ("?other=1", 7),
        ("?after=0", 0),
        ("?after=12", 12),
        ("?after=" + "9" * 15, 10**15 - 1),
    ],
)
def test_a_whole_number_is_read(query: str, number: int) -> None:
    assert whole_number(make_mocked_request("GET", f"/{query}"), "after", 7) == number


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "+1", "%D9%A1", "1" * 16, "%20 1"])
def test_what_is_not_a_whole_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="after must be a whole number"):
        whole_number(make_mocked_request("GET", f"/?after={text}"), "after", 0)

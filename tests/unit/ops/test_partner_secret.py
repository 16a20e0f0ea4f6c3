from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.partner_secret import NotSetError, checked
from shared.partner.partner import read_secret
from shared.standards.secret_text import secret_text

SIGNING = "whsec_" + base64.b64encode(bytes(range(24))).decode()


def document(url: str) -> str:
    return json.dumps({"kind": "webhook", "url": url, "secrets": [SIGNING]})


@given(st.text(" \t\r\n"), st.text(" \t\r\n"), st.integers(0, 2), st.text(max_size=20))
def test_what_is_set_the_receiver_reads_the_same(
    before: str, after: str, indent: int, path: str
) -> None:
    pretty = json.dumps(json.loads(document(f"https://partner.example/{path}")), indent=indent)
    try:
        value = checked(before + pretty + after)
    except NotSetError:
        return
    # The receiver gets it from the vault by this reading, and parses it by this function.
    assert read_secret(secret_text(value)) == read_secret(pretty)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "nothing was given"),
        (" \n", "nothing was given"),
        ("{", "not a JSON document"),
        (document("https://partner.example/planted "), "a blank"),
        (document("https://relay..planted.example/"), "empty label"),
    ],
)
def test_what_cannot_work_is_not_set(text: str, problem: str) -> None:
    with pytest.raises(NotSetError, match=problem) as refused:
        checked(text)
    assert str(refused.value).endswith(": nothing is set")
    assert "planted" not in str(refused.value)

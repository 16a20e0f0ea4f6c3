"""What `ops partner` prints."""

from __future__ import annotations

import pytest

from ops.partner_pause import show_state
from shared.partner.operator_state import PartnerState


def test_a_reason_is_one_line_without_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_state(PartnerState(is_paused=True, reason="a\nb\x1b[2J"), None, as_json=False)
    assert capsys.readouterr().out == "the partner is paused: a\\nb\\x1b[2J\n"

from __future__ import annotations

import pytest

from local.cli.faults import as_typed


@pytest.mark.parametrize(
    ("error", "typed"),
    [
        (
            "retry_after is only for the answer status",
            "--retry-after is only for the answer status",
        ),
        ("seconds must be a number above 0", "--seconds must be a number above 0"),
        ("deliver_first does not go with slow", "--deliver-first does not go with slow"),
        ("operation must be one of keys/get", "--operation must be one of keys/get"),
        ("body is only for faults of the partner", "--body is only for faults of the partner"),
        ("status is missing", "status is missing"),
        ("there is no such vault; known: a", "there is no such vault; known: a"),
    ],
)
def test_a_property_is_named_as_its_option_was_typed(error: str, typed: str) -> None:
    assert as_typed(error) == typed

from __future__ import annotations

from dataclasses import replace

import pytest

from local.key_vault.responses import object_id, recovery_level
from tests.unit.local.key_vault.local_vault import SPEC, URI


@pytest.mark.parametrize(
    ("days", "protected", "level"),
    [
        (90, True, "Recoverable"),
        (90, False, "Recoverable+Purgeable"),
        (7, True, "CustomizedRecoverable"),
        (7, False, "CustomizedRecoverable+Purgeable"),
    ],
)
def test_the_recovery_level_is_that_of_the_vault(days: int, protected: bool, level: str) -> None:
    spec = replace(SPEC, retention_days=days, purge_protection=protected)
    assert recovery_level(spec) == level


def test_an_id_may_have_a_version() -> None:
    assert object_id(URI, "keys", "k") == f"{URI}/keys/k"
    assert object_id(URI, "keys", "k", "1") == f"{URI}/keys/k/1"

from __future__ import annotations

import pytest

from shared.settings.environment import SettingsError, inventory, load
from tests.unit.shared.settings.test_settings import ID, environment


def test_what_the_access_audit_probes_is_read_from_its_families() -> None:
    environ = environment(
        "tracker",
        RELAY_ACCESS_IDENTITY_SENDER_BUS=ID,
        RELAY_ACCESS_KEY_PAYLOAD="https://payload.vault.azure.net/keys/payload",
        RELAY_ACCESS_SECRET_PARTNER_CONNECTION="https://p.vault.azure.net/secrets/partner-connection",
        RELAY_ACCESS_QUEUE_MESSAGES="messages",
        RELAY_ACCESS="false",
    )
    assert not load(environ)["tracker"].proves_access
    found = inventory(environ)
    assert found.identities == {"sender_bus": ID}
    assert [key.name for key in found.keys] == ["payload"]
    assert [secret.name for secret in found.secrets] == ["partner-connection"]
    assert found.queues == ("messages",)


@pytest.mark.parametrize("kind", ["IDENTITY", "KEY", "SECRET", "QUEUE"])
def test_a_wrong_object_of_the_access_audit_is_named_and_not_shown(kind: str) -> None:
    environ = environment("tracker", **{f"RELAY_ACCESS_{kind}_X": "planted secret \u20ac"})
    for read in (load, inventory):
        with pytest.raises(SettingsError) as caught:
            read(environ)
        assert f"RELAY_ACCESS_{kind}_X" in str(caught.value)
        assert "planted" not in str(caught.value)

from __future__ import annotations

from local.cli.decisions import full, line

REFUSED = {
    "n": 123456,
    "at": "2026-11-26T12:47:48.581+00:00",
    "allowed": False,
    "app": "receiver",
    "identity": "partner_state",
    "action": "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "object": "secret database-connection",
    "because": "role 'Relay read a secret (local)' at secret database-connection would allow it",
    "request": "0e7f1d77-1367-4d75-85fd-e594822af5da",
    "probe": True,
}


def test_a_decision_is_one_line_of_at_most_100_columns() -> None:
    shown = line(REFUSED)
    assert len(shown) == 100
    assert shown.startswith(
        "123456 12:47:48 REFUSED receiver partner_state secrets/getSecret secret"
    )
    assert line(REFUSED | {"because": "x", "object": "key k", "probe": False}).endswith("key k: x")


def test_a_decision_in_full_has_all_of_it() -> None:
    shown = full(REFUSED)
    for name in ("action", "object", "because", "request", "identity"):
        assert str(REFUSED[name]) in shown
    assert "REFUSED" in shown

from __future__ import annotations

import pytest

from checks.tables import grants, layers, renewed, settings


def test_a_table_is_renewed_between_its_markers() -> None:
    text = "a\n<!-- table: x -->\nold\n<!-- end: x -->\nb\n"
    assert renewed(text, "x", "new") == "a\n<!-- table: x -->\nnew\n<!-- end: x -->\nb\n"


def test_a_document_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        renewed("text", "x", "new")


def test_the_table_of_settings_has_every_app_and_default() -> None:
    table = settings()
    assert "| `RELAY_KEY_PAYLOAD` | sender, receiver |" in table
    assert "| `RELAY_VERIFY_CHALLENGE` | all |" in table
    assert "| 190000 |" in table


def test_the_table_of_grants_has_every_identity() -> None:
    table = grants()
    assert "| `encrypt` | encrypt with key `payload` | sender |" in table
    assert "| get secret `database-connection` | sender, tracker, machine reader |" in table


def test_the_table_of_layers_has_each_contract() -> None:
    table = layers()
    assert "| `shared` | `apps`, `access`, `settings`, `partner` or `ledger`," in table
    assert (
        "| `local.bus` | `server` or `administration`, `security`, `broker`, `topics`, `amqp` |"
        in table
    )

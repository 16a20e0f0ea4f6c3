from __future__ import annotations

import pytest

from ops.cli import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "COMMAND"),
        ("look", "invalid choice"),
        ("replay", "ID..., or --all"),
        ("replay a --all", "ID..., or --all"),
        ("replay a --reason x", "--reason goes with --all"),
        ("replay #x", "neither an id nor #SEQUENCE"),
        ("drop", "ID"),
        ("drop a", "--yes"),
        ("rejected --limit 0", "whole number"),
        ("rejected --local --namespace x", "not allowed with"),
        ("rejected", "say where"),
        ("rejected --namespace not_a_host", "must be a host name"),
        ("prove", "one of the arguments"),
        ("prove --local --app sender=https://x", "not allowed with"),
        ("prove --app sender", "must look like"),
        ("prove --app sender=http://example.com", "https only"),
        ("prove --app sender=https://x --used", "--used is for the local cloud"),
        ("prove --app sender=https://x --operator nobody", "has no operator nobody"),
        ("prove --app sender=https://x --operator operator", "--operator needs --namespace"),
        ("prove --app sender=https://x", "no terminal to ask"),
        ("prove --folder /nowhere", "no local cloud is up"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RELAY_BUS__fullyQualifiedNamespace", raising=False)
    monkeypatch.delenv("RELAY_MASTER_KEY_SENDER", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    assert said in capsys.readouterr().err

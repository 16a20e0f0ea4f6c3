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
        ("replay #x", "'#x' is not an id, #SEQUENCE, or dead#SEQUENCE"),
        ("replay dead#x", "'dead#x' is not an id, #SEQUENCE, or dead#SEQUENCE"),
        ("replay dead#", "is not an id"),
        ("replay a --rate 5", "--rate goes with --all"),
        ("retry", "ID..., or --all"),
        ("retry a --all", "ID..., or --all"),
        ("retry a --rate 5", "--rate goes with --all"),
        ("retry --all --rate 0", "whole number"),
        ("retry dead#1", "'dead#1' is not an id, or #SEQUENCE"),
        ("retry a", "no namespace given"),
        ("retries --after x", "must be a sequence number"),
        ("partner", "ACTION"),
        ("partner resume --vault not_a_vault!", "a vault is given by its name"),
        ("partner status", "no vault given: --vault NAME, or RELAY_VAULT_STATE, or --local"),
        ("drop", "ID"),
        ("drop a", "--yes"),
        ("rejected --limit 0", "whole number"),
        ("rejected --local --namespace x", "not allowed with"),
        ("rejected", "no namespace given"),
        ("rejected --namespace not_a_host", "must be a host name"),
        ("prove", "no deployment given"),
        ("prove --local --app sender=https://x", "not allowed with"),
        ("prove --app sender", "must look like"),
        ("prove --app sender=http://example.com", "https only"),
        ("prove --app sender=http://127.0.0.1.example.com", "https only"),
        ("prove --app sender=https://x --used", "--used is for the local cloud"),
        ("prove --app sender=https://x --operator nobody", "has no operator nobody"),
        ("prove --app sender=https://x --operator operator", "--operator needs --namespace"),
        ("prove --app sender=https://x", "no terminal to ask"),
        ("rejected --limt 1", "did you mean --limit?"),
        ("rejectd", "did you mean rejected?"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RELAY_BUS__fullyQualifiedNamespace", "RELAY_BUS_NAMESPACE", "SENDER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("RELAY_MASTER_KEY_SENDER", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_azd_tells_is_enough_to_know_where(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDER_URL", "http://relay-sender.example.net")
    with pytest.raises(SystemExit):
        main(["prove"])
    assert "in the environment: a master key goes over https only" in capsys.readouterr().err
    monkeypatch.setenv("SENDER_URL", "https://relay-sender.example.net")
    with pytest.raises(SystemExit):
        main(["prove", "--operator", "operator"])
    assert "--operator needs --namespace" in capsys.readouterr().err
    monkeypatch.setenv("RELAY_BUS_NAMESPACE", "relay.example.net")
    with pytest.raises(SystemExit):
        main(["prove", "--operator", "operator"])
    assert "no terminal to ask for the master key of sender" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        *("rejected", "replay --all", "retries", "retry --all", "drop x --yes", "migrate"),
        *("prove", "prune", "erase x --yes", "secrets"),
        *("partner status", "partner pause", "partner resume"),
    ],
)
def test_without_a_local_cloud_each_command_says_how_to_start_one(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--folder", "/nowhere"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: no local cloud is up in /nowhere; start one with: ")
    assert err.count("\n") == 1

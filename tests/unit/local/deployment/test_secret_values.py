"""Secure parameters, put where a snapshot has their names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.deployment.secret_values import SecretValuesError, read_values, with_values


def _snapshot(value: object, kind: str = "Microsoft.KeyVault/vaults/secrets") -> bytes:
    resource = {"type": kind, "name": "vault/secret", "properties": {"value": value}}
    return json.dumps({"predictedResources": [resource]}).encode()


def _value(content: bytes) -> object:
    return json.loads(content)["predictedResources"][0]["properties"]["value"]


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("[parameters('key')]", {"key": "a value"}),
        ("[parameters('keys')['one']]", {"keys": {"one": "a value"}}),
        ("[parameters('keys').one]", {"keys": {"one": "a value"}}),
    ],
)
def test_a_parameter_is_replaced_by_its_value(text: str, parameters: dict[str, object]) -> None:
    completed = with_values(_snapshot(text), parameters)
    assert _value(completed.content) == "a value"
    assert completed.missing == {}


@pytest.mark.parametrize(
    ("text", "parameters", "needed"),
    [
        ("[parameters('key')]", {}, "the parameter key"),
        ("[parameters('key')]", {"key": ""}, "the parameter key"),
        ("[parameters('keys')['one']]", {"keys": {"two": "x"}}, "the parameter keys"),
        ("[format('{0}', parameters('key'))]", {"key": "x"}, "what only Azure computes"),
    ],
)
def test_a_secret_without_a_value_is_named_with_what_it_needs(
    text: str, parameters: dict[str, object], needed: str
) -> None:
    completed = with_values(_snapshot(text), parameters)
    assert _value(completed.content) == text
    assert completed.missing == {"secret": needed}


def test_a_literal_and_what_is_no_secret_stay() -> None:
    assert _value(with_values(_snapshot("EUR"), {"EUR": "x"}).content) == "EUR"
    other = with_values(_snapshot("[parameters('key')]", "Microsoft.Sql/servers"), {"key": "x"})
    assert _value(other.content) == "[parameters('key')]"
    assert other.missing == {}


def test_a_value_that_looks_like_an_expression_is_refused_and_not_shown() -> None:
    with pytest.raises(SecretValuesError, match="secret is in brackets") as refused:
        with_values(_snapshot("[parameters('key')]"), {"key": "[hush]"})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"predictedResources": [1, {}]}'])
def test_what_is_malformed_is_left_to_the_reader_of_the_deployment(content: bytes) -> None:
    assert with_values(content, {}).missing == {}


def test_values_come_by_name_or_in_a_parameter_file(tmp_path: Path) -> None:
    plain, azure = tmp_path / "plain.json", tmp_path / "azure.json"
    plain.write_text('{"key": "a", "keys": {"one": "b"}}')
    azure.write_text('{"parameters": {"key": {"value": "a"}}}')
    assert read_values(plain) == {"key": "a", "keys": {"one": "b"}}
    assert read_values(azure) == {"key": "a"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hush", "is not JSON"),
        ('["hush"]', "must be an object"),
        ('{"key": 1}', "key must be a text"),
        ('{"parameters": {"key": {"reference": "hush"}}}', "key must be a text"),
    ],
)
def test_a_wrong_file_is_refused_and_not_shown(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "values.json"
    file.write_text(text)
    with pytest.raises(SecretValuesError, match=complaint) as refused:
        read_values(file)
    assert "hush" not in str(refused.value)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretValuesError, match=r"values.json cannot be read"):
        read_values(tmp_path / "values.json")

"""What an error of Key Vault means for the caller, by its kind and its status."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.azure import vault
from shared.azure.network import ConnectionOptions
from shared.azure.vault import (
    VaultDeniedError,
    VaultError,
    VaultRefusedError,
    VaultUnavailableError,
    answering,
    client_options,
    error_for_status,
    map_error,
)

REQUEST = "0f8fad5b-d9cb-469f-a165-70867728950e"


class Answer:
    """What the SDK keeps of an answer."""

    reason = "planted"

    def __init__(self, status: int, **headers: str) -> None:
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def text(self) -> str:
        return "planted"


def mapped(kind: type[HttpResponseError], status: int, **headers: str) -> VaultError:
    response: Any = Answer(status, **headers)
    return map_error("read", kind(message="planted", response=response))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, VaultRefusedError),
        (401, VaultDeniedError),
        (403, VaultDeniedError),
        (404, VaultRefusedError),
        (405, VaultRefusedError),
        (408, VaultUnavailableError),
        (409, VaultRefusedError),
        (429, VaultUnavailableError),
        (500, VaultUnavailableError),
        (502, VaultUnavailableError),
        (503, VaultUnavailableError),
        (504, VaultUnavailableError),
    ],
)
def test_a_status_says_whether_the_same_operation_may_succeed_later(
    status: int, kind: type[VaultError]
) -> None:
    for error in (
        mapped(HttpResponseError, status),
        error_for_status("read", status, Answer(status)),
    ):
        assert type(error) is kind
        assert (str(error), error.status) == (f"read: status {status}", status)
        assert error.retry_after is None


@pytest.mark.parametrize("status", [301, 304])
def test_an_answer_that_is_not_key_vaults_is_an_unavailable_vault(status: int) -> None:
    assert type(mapped(HttpResponseError, status)) is VaultUnavailableError


def test_an_object_that_does_not_exist_is_refused() -> None:
    assert type(mapped(ResourceNotFoundError, 404)) is VaultRefusedError


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
def test_without_a_token_an_identity_is_denied_whatever_the_status(status: int) -> None:
    error = mapped(ClientAuthenticationError, status, x_ms_request_id=REQUEST)
    assert isinstance(error, VaultDeniedError)
    assert str(error) == f"read: the identity gets no token ({status}), request {REQUEST}"
    assert error.request_id == REQUEST


def test_an_identity_endpoint_without_an_answer_denies_as_well() -> None:
    error = map_error("read", ClientAuthenticationError(message="planted"))
    assert type(error) is VaultDeniedError
    assert str(error) == "read: the identity gets no token (0)"


@pytest.mark.parametrize("status", [500, 503])
def test_an_identity_endpoint_that_fails_is_unavailable(status: int) -> None:
    assert type(mapped(ClientAuthenticationError, status)) is VaultUnavailableError


@pytest.mark.parametrize("kind", [AzureError, ServiceRequestError, ServiceResponseError])
def test_without_an_answer_the_vault_is_unavailable(kind: type[AzureError]) -> None:
    error = map_error("read", kind("planted"))
    assert type(error) is VaultUnavailableError
    assert str(error) == f"read: no answer ({kind.__name__})"
    assert error.status is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("3600", 3600.0), ("86400", 3600.0), ("9" * 50, 3600.0), ("x", None)],
)
@pytest.mark.parametrize("status", [408, 429, 503])
def test_the_vault_says_when_to_come_again_and_is_not_waited_for_for_ever(
    status: int, header: str, seconds: float | None
) -> None:
    assert mapped(HttpResponseError, status, Retry_After=header).retry_after == seconds


async def test_what_never_answers_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_ANSWER_SECONDS", 0.0)
    with pytest.raises(VaultUnavailableError, match="read: no answer in 0 s"):
        async with answering("read"):
            await asyncio.sleep(10)


async def test_an_error_of_the_sdk_becomes_one_of_the_vault_and_others_stay() -> None:
    with pytest.raises(VaultUnavailableError):
        async with answering("read"):
            raise ServiceRequestError("planted")
    with pytest.raises(VaultRefusedError):
        async with answering("read"):
            raise VaultRefusedError("read", "no value")
    async with answering("read"):
        pass


def test_a_vault_is_verified_unless_a_deployment_says_otherwise() -> None:
    usual = client_options("https://p.vault.azure.net", ConnectionOptions())
    assert usual["verify_challenge_resource"] is True
    assert not {"transport", "connection_verify"} & usual.keys()  # TLS as the SDK checks it
    network = ConnectionOptions(verify_challenge=False)
    private = client_options("https://127.0.0.1:8443", network)
    assert private["verify_challenge_resource"] is False
    elsewhere = client_options("https://127.0.0.1.example", network)
    assert elsewhere["verify_challenge_resource"] is True
    # An answer is never tried again here, only a lost connection.
    assert (usual["retry_total"], usual["retry_status"]) == (2, 0)

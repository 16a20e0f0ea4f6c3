"""Every answer of the vault, the bus and the database, as a caller of the sender gets it."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus import exceptions as bus
from sqlalchemy import exc as sql

from shared.apps.failures import RETRY_AFTER_SECONDS, FailureAnswers
from shared.azure import queues, vault
from shared.azure.key_vault_id import KeyVaultId
from shared.azure.vault import VaultError, VaultRefusedError
from shared.errors import RelayError
from shared.ledger import database
from shared.ledger.errors import LedgerError
from shared.message.payload_key import PayloadKey

ANSWERS = FailureAnswers("send it again", "a fault in the relay")
ERRORS_OF_THE_BUS = [
    kind
    for kind in vars(bus).values()
    if isinstance(kind, type)
    and issubclass(kind, bus.ServiceBusError)
    and kind is not bus.MessageSizeExceededError
]


class Answer:
    """What the SDK keeps of an answer."""

    reason = "planted"

    def __init__(self, status: int) -> None:
        self.status_code = status
        self.headers: dict[str, str] = {}

    def text(self) -> str:
        return "planted"


class Key:
    """A key whose vault always fails."""

    id = KeyVaultId.parse("https://payload.vault.azure.net/keys/payload", "keys")

    def __init__(self, error: VaultError) -> None:
        self.error = error

    async def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        raise self.error

    async def decrypt(self, version: str, ciphertext: bytes) -> bytes:
        raise self.error

    async def close(self) -> None:
        pass


def assert_unavailable(error: RelayError) -> None:
    problem = ANSWERS.problem_for(error)
    assert problem.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert problem.retry_after == RETRY_AFTER_SECONDS
    assert problem.detail == "send it again"


@pytest.mark.parametrize("status", range(401, 600))
async def test_whatever_a_vault_answers_about_its_key_is_503(status: int) -> None:
    with pytest.raises(VaultError) as raised:
        await PayloadKey(Key(vault.error_for_status("encrypt", status, Answer(status)))).encrypt(
            b""
        )
    assert_unavailable(raised.value)
    assert raised.value.status == status


@pytest.mark.parametrize(
    "error",
    [
        VaultRefusedError("encrypt", "answered for another key"),
        vault.error_for_status("encrypt", 400, Answer(400)),
    ],
)
async def test_a_request_that_a_vault_cannot_read_is_a_fault_of_the_relay(
    error: VaultError,
) -> None:
    with pytest.raises(VaultRefusedError) as raised:
        await PayloadKey(Key(error)).encrypt(b"")
    problem = ANSWERS.problem_for(raised.value)
    assert (problem.status, problem.retry_after) == (HTTPStatus.INTERNAL_SERVER_ERROR, None)


@pytest.mark.parametrize("kind", ERRORS_OF_THE_BUS, ids=lambda kind: kind.__name__)
def test_whatever_the_bus_answers_is_503(kind: type[bus.ServiceBusError]) -> None:
    assert_unavailable(queues.map_error("messages", kind(message="planted")))


@pytest.mark.parametrize("status", range(400, 600))
def test_whatever_the_identity_endpoint_answers_the_bus_client_is_503(status: int) -> None:
    response = Answer(status)
    error = HttpResponseError(message="planted", response=response)  # type: ignore[arg-type]
    assert_unavailable(queues.map_error("messages", error))


@pytest.mark.parametrize("status", range(400, 600))
async def test_whatever_a_vault_answers_about_the_databases_secret_is_503(status: int) -> None:
    class Secret:
        url = "https://database.vault.azure.net/secrets/database"

        async def value(self) -> str:
            raise vault.error_for_status("get", status, Answer(status))

        def forget(self, value: str) -> None:
            pass

    async def work(_: object) -> None:
        raise AssertionError("no connection")

    with pytest.raises(LedgerError) as raised:
        await database.Database(Secret()).run(work)
    assert_unavailable(raised.value)


@pytest.mark.parametrize(
    "kind",
    [sql.OperationalError, sql.InterfaceError, sql.InternalError, sql.ProgrammingError],
)
def test_whatever_the_database_answers_is_503_unless_it_cannot_hold_the_row(
    kind: type[sql.DBAPIError],
) -> None:
    error = database.map_error(kind("planted", {}, Exception("planted")))
    assert_unavailable(error)
    held = database.map_error(sql.DataError("planted", {}, Exception("planted")))
    assert ANSWERS.problem_for(held).status is HTTPStatus.INTERNAL_SERVER_ERROR

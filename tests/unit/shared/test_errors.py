"""Every error of the apps says in fields what its caller has to know."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import shared
from shared.access.declaration import NotDeclaredError
from shared.apps.admission import OverloadedError
from shared.apps.failures import InvalidRequestError
from shared.azure.queues import (
    BusDeniedError,
    BusError,
    BusThrottledError,
    BusUnavailableError,
    MessageTooLargeError,
    QueueRefusedError,
)
from shared.azure.vault import (
    VaultDeniedError,
    VaultError,
    VaultRefusedError,
    VaultUnavailableError,
)
from shared.errors import CallCancelledError, RelayError
from shared.ledger.database import SecretDeniedError
from shared.ledger.errors import (
    AuthenticationFailedError,
    LedgerError,
    LedgerUnavailableError,
    PoolerRefusedError,
)
from shared.message.envelope import DecryptionError
from shared.message.formats import NewerFormatError
from shared.message.protected_header import RetiredFormatError
from shared.partner.delivery import (
    DeliveryError,
    MessageDeniedError,
    PartnerBlockedError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.partner.operator_state import PartnerStateError
from shared.settings.environment import SettingsError

TRANSIENT: set[type[RelayError]] = {
    VaultUnavailableError,
    BusUnavailableError,
    QueueRefusedError,
    BusThrottledError,
    OverloadedError,
    LedgerUnavailableError,
    PoolerRefusedError,
    PartnerUnavailableError,
    PartnerBlockedError,
    MessageDeniedError,
    CallCancelledError,
}
DENIALS: set[type[RelayError]] = {  # transient as well: nothing is wrong with the request
    VaultDeniedError,
    BusDeniedError,
    SecretDeniedError,
    AuthenticationFailedError,
    PartnerDeniedError,
    PartnerSecretError,
    PartnerStateError,
}
FINAL: set[type[RelayError]] = {
    RelayError,
    VaultError,
    VaultRefusedError,
    BusError,
    MessageTooLargeError,
    LedgerError,
    DeliveryError,
    PartnerRefusedError,
    DecryptionError,
    NewerFormatError,
    RetiredFormatError,
    SettingsError,
    NotDeclaredError,
    InvalidRequestError,
}


def _every_error() -> set[type[BaseException]]:
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(shared.__path__, "shared.")
    ]
    return {
        value
        for module in modules
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, BaseException) and value.__module__.startswith("shared.")
    }


def test_every_error_has_the_one_root_and_is_classified_here() -> None:
    assert _every_error() == TRANSIENT | DENIALS | FINAL
    assert all(issubclass(error, RelayError) for error in _every_error())


@pytest.mark.parametrize("error", sorted(TRANSIENT | DENIALS | FINAL, key=str))
def test_a_class_says_whether_to_try_again_and_whether_it_is_a_denial(
    error: type[RelayError],
) -> None:
    assert error.transient == (error in TRANSIENT | DENIALS)
    assert error.is_denial == (error in DENIALS)


@pytest.mark.parametrize("seconds", [None, 0.0, 7.5])
def test_an_error_carries_the_seconds_that_a_service_asks_for(seconds: float | None) -> None:
    assert RelayError("away", retry_after=seconds).retry_after == seconds
    assert BusUnavailableError("away", retry_after=seconds).retry_after == seconds
    assert VaultUnavailableError("read", "away", 503, retry_after=seconds).retry_after == seconds


def test_the_text_of_an_error_is_its_message() -> None:
    assert str(RelayError("the bus is away")) == "the bus is away"

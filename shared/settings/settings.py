"""Every setting of Sealed Relay, as a field of the app that it is for.

The same table gives the deployment's tests and the documentation its names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shared.azure.clients import AzureClients
from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions
from shared.message.formats import EMITTED_FORMAT, KNOWN_FORMATS, LAST_FORMAT, Formats
from shared.partner.answers import DEFAULT_FINAL, FinalStatuses
from shared.partner.retries import Schedule
from shared.settings import forms
from shared.settings.version import DEPLOYMENT_VERSION

AppName = Literal["sender", "receiver", "tracker"]

_MIB = 1024 * 1024


def _setting(
    name: str,
    meaning: str,
    read: Callable[[str], object],
    default: object = dataclasses.MISSING,
) -> Any:
    # As with dataclasses.field, the annotation of the field gives its type.
    about = {"name": name, "meaning": meaning, "read": read}
    return dataclasses.field(default=default, metadata=about)


def _database_secret() -> Any:
    return _setting(
        "RELAY_SECRET_DATABASE_CONNECTION",
        "URL of the database secret, without a version",
        forms.secret,
    )


def _database_secret_seconds() -> Any:
    return _setting(
        "RELAY_DATABASE_SECRET_SECONDS",
        "seconds until the database secret is read again",
        forms.between(1, 86_400),
        300,
    )


def _formats_accepted() -> Any:
    return _setting(
        "RELAY_FORMATS_ACCEPTED",
        "formats of sealed messages and receipts that are read; newer ones wait",
        Formats.parse,
        KNOWN_FORMATS,
    )


def _format_emitted() -> Any:
    return _setting(
        "RELAY_FORMAT_EMITTED",
        "format of the sealed messages and receipts that are written",
        forms.between(1, LAST_FORMAT),
        EMITTED_FORMAT,
    )


def _identity(name: str, use: str) -> Any:
    return _setting(
        f"RELAY_IDENTITY_{name}", f"client id of the identity that may {use}", forms.client_id
    )


@dataclass(frozen=True, kw_only=True)
class AppSettings:
    """What every app knows: its bus, and how services are reached where that is not as usual."""

    bus_namespace: str = _setting(
        "RELAY_BUS__fullyQualifiedNamespace", "host name of the Service Bus namespace", forms.host
    )
    ca_bundle: Path | None = _setting(
        "RELAY_CA_BUNDLE",
        "PEM file of the authorities to trust, instead of the public ones",
        forms.file,
        None,
    )
    bus_endpoint: str | None = _setting(
        "RELAY_BUS_ENDPOINT",
        "`sb://host:port` where the bus is, if not at its own name",
        forms.endpoint,
        None,
    )
    verify_challenge: bool = _setting(
        "RELAY_VERIFY_CHALLENGE",
        "`false` for vaults on loopback, whose host name is not Key Vault's",
        forms.boolean,
        default=True,
    )
    proxy: str | None = _setting(
        "RELAY_PROXY",
        "`http://host:port` of the proxy for Key Vault and webhooks; no other variable sets one",
        forms.proxy,
        None,
    )
    proves_access: bool = _setting(
        "RELAY_ACCESS",
        "`false` for no function `access`, which `ops prove` asks",
        forms.boolean,
        default=True,
    )
    deployment_version: int = _setting(
        "RELAY_DEPLOYMENT_VERSION",
        "version of the deployment, which Bicep sets: an app of an older one ignores settings that "
        "it does not know, with a warning, instead of refusing them",
        forms.between(1, 9999),
        DEPLOYMENT_VERSION,
    )

    @property
    def network(self) -> ConnectionOptions:
        """How this app reaches the services."""
        return ConnectionOptions(
            self.ca_bundle, self.bus_endpoint, self.verify_challenge, self.proxy
        )

    @property
    def clients(self) -> AzureClients:
        """What makes this app's clients of the services."""
        return AzureClients(self.bus_namespace, self.network)


@dataclass(frozen=True, kw_only=True)
class TriggerSettings(AppSettings):
    """What the Functions host reads for a Service Bus trigger; checked here, as it checks late."""

    trigger_credential: str = _setting(
        "RELAY_BUS__credential",
        "`managedidentity`: how the trigger signs in",
        forms.managed_identity,
    )
    trigger_identity: str = _setting(
        "RELAY_BUS__clientId",
        "client id of the identity that the trigger receives with",
        forms.client_id,
    )


@dataclass(frozen=True, kw_only=True)
class SenderSettings(AppSettings):
    """The sender's."""

    encrypt_identity: str = _identity("ENCRYPT", "encrypt with the payload key")
    bus_identity: str = _identity("SENDER_BUS", "send to the queue of messages")
    database_identity: str = _identity("DATABASE", "read the database secret")
    payload_key: KeyVaultId = _setting(
        "RELAY_KEY_PAYLOAD", "URL of the key that seals and opens, without a version", forms.key
    )
    database_secret: KeyVaultId = _database_secret()
    database_secret_seconds: int = _database_secret_seconds()
    messages_queue: str = _setting("RELAY_QUEUE_MESSAGES", "queue of sealed messages", forms.queue)
    status_url: str = _setting(
        "RELAY_STATUS_URL",
        "where `/api/messages/{id}` of the tracker is; empty where one gateway serves both apps",
        forms.base_url,
        "",
    )
    max_payload_bytes: int = _setting(
        "RELAY_MAX_PAYLOAD_BYTES",
        "largest payload accepted; 190,000 is what 256 KB of the Standard tier hold once sealed, "
        "with 6 KB for what retries add",
        forms.between(1, 64 * _MIB),
        190_000,
    )
    max_waiting_mb: int = _setting(
        "RELAY_MAX_WAITING_MB",
        "MB that messages under way may take up together before callers are refused with 503; the "
        "deployment sets 80 % of the smaller one of the queues `messages` and `retries`; 0 for no "
        "limit",
        forms.between(0, 81_920),
        0,
    )
    binds_keys_to_callers: bool = _setting(
        "RELAY_BIND_KEYS_TO_CALLERS",
        "`true` where App Service authentication is on for the sender: an `Idempotency-Key` is "
        "then the caller's own. Without it the header that names the caller is anybody's word",
        forms.boolean,
        default=False,
    )
    format_emitted: int = _format_emitted()
    data_key_messages: int = _setting(
        "RELAY_DATA_KEY_MESSAGES",
        "messages that one data key seals",
        forms.between(1, 2**20),
        # More than an instance sends in `data_key_seconds`, so that Key Vault is asked by the time
        # and not by the rate. What a leaked key opens is bounded by both: docs/decisions/03.
        2**15,
    )
    data_key_seconds: int = _setting(
        "RELAY_DATA_KEY_SECONDS", "seconds that one data key is used", forms.between(1, 86_400), 300
    )
    data_key_bytes: int = _setting(
        "RELAY_DATA_KEY_BYTES",
        "bytes that one data key seals",
        forms.between(1, 64 * 1024 * _MIB),
        1024 * _MIB,
    )


@dataclass(frozen=True, kw_only=True)
class ReceiverSettings(TriggerSettings):
    """The receiver's."""

    decrypt_identity: str = _identity("DECRYPT", "decrypt with the payload key")
    partner_identity: str = _identity("PARTNER", "read the partner's secret")
    partner_state_identity: str = _identity(
        "PARTNER_STATE", "read whether an operator has paused the partner"
    )
    bus_identity: str = _identity(
        "RECEIVER_BUS", "receive messages and send what follows from them"
    )
    payload_key: KeyVaultId = _setting(
        "RELAY_KEY_PAYLOAD", "URL of the key that seals and opens, without a version", forms.key
    )
    partner_secret: KeyVaultId = _setting(
        "RELAY_SECRET_PARTNER_CONNECTION",
        "URL of the partner's secret, without a version",
        forms.secret,
    )
    partner_state: KeyVaultId = _setting(
        "RELAY_SECRET_PARTNER_STATE",
        "URL of the secret that says whether the partner is paused, without a version",
        forms.secret,
    )
    messages_queue: str = _setting("RELAY_QUEUE_MESSAGES", "queue of sealed messages", forms.queue)
    retries_queue: str = _setting("RELAY_QUEUE_RETRIES", "queue of messages that wait", forms.queue)
    rejected_queue: str = _setting(
        "RELAY_QUEUE_REJECTED", "queue of rejected messages", forms.queue
    )
    receipts_queue: str = _setting("RELAY_QUEUE_RECEIPTS", "queue of receipts", forms.queue)
    dead_letters_queue: str = _setting(
        "RELAY_QUEUE_DEAD_LETTERS",
        "queue of dead letters, of messages and of receipts",
        forms.queue,
    )
    formats_accepted: Formats = _formats_accepted()
    format_emitted: int = _format_emitted()
    data_key_cache_entries: int = _setting(
        "RELAY_DATA_KEY_CACHE_ENTRIES",
        "opened data keys kept in memory",
        forms.between(1, 100_000),
        1000,
    )
    data_key_cache_seconds: int = _setting(
        "RELAY_DATA_KEY_CACHE_SECONDS",
        "seconds that an opened data key is kept",
        forms.between(1, 86_400),
        600,
    )
    retry_schedule: Schedule = _setting(
        "RELAY_RETRY_SCHEDULE",
        "delays between the attempts at a partner that is away; then the message is rejected",
        Schedule.parse,
        Schedule.parse("5s,5m,30m,2h,5h,10h,14h,20h,24h"),
    )
    wait_seconds: int = _setting(
        "RELAY_WAIT_SECONDS",
        "seconds that a message waits while the vault or the partner's secret is not available",
        forms.between(1, 3600),
        30,
    )
    max_deliveries: int = _setting(
        "RELAY_MAX_DELIVERIES",
        "delivery from which on a message is rejected that has ended the process handling it again "
        "and again; less than the queue's own maxDeliveryCount",
        # At the last one nothing is tried: with 1, every message would be rejected.
        forms.between(2, 1999),
        9,
    )
    partner_timeout_seconds: int = _setting(
        "RELAY_PARTNER_TIMEOUT_SECONDS",
        "seconds that the partner may take",
        # A partner is asked twice at most in one call, which must end long before functionTimeout:
        # the host ends a call that takes longer by ending the worker with all of its calls.
        forms.between(1, 60),
        30,
    )
    partner_final_statuses: FinalStatuses = _setting(
        "RELAY_PARTNER_FINAL_STATUSES",
        "answers of the partner after which a message is rejected, or `none`; all others but `2xx` "
        "are tried again",
        FinalStatuses.parse,
        DEFAULT_FINAL,
    )
    partner_breaker_failures: int = _setting(
        "RELAY_PARTNER_BREAKER_FAILURES",
        "messages in a row that fail until the partner is asked by probes only",
        forms.between(1, 1000),
        10,
    )
    partner_probe_seconds: int = _setting(
        "RELAY_PARTNER_PROBE_SECONDS",
        "longest seconds between the probes of one instance",
        forms.between(1, 3600),
        300,
    )
    partner_concurrency: int = _setting(
        "RELAY_PARTNER_CONCURRENCY",
        "posts that one instance makes at once",
        forms.between(1, 100_000),
        32,
    )
    partner_rate: float = _setting(
        "RELAY_PARTNER_RATE",
        "posts that one instance makes a second, evenly spaced, like `20` or `0.25`; 0 for no "
        "limit",
        forms.rate,
        0.0,
    )
    partner_secret_seconds: int = _setting(
        "RELAY_PARTNER_SECRET_SECONDS",
        "seconds until the partner's secret is read again",
        forms.between(1, 86_400),
        300,
    )


@dataclass(frozen=True, kw_only=True)
class TrackerSettings(TriggerSettings):
    """The tracker's."""

    database_identity: str = _identity("DATABASE", "read the database secret")
    bus_identity: str = _identity("TRACKER_BUS", "receive receipts")
    database_secret: KeyVaultId = _database_secret()
    database_secret_seconds: int = _database_secret_seconds()
    receipts_queue: str = _setting("RELAY_QUEUE_RECEIPTS", "queue of receipts", forms.queue)
    rejected_queue: str = _setting(
        "RELAY_QUEUE_REJECTED", "queue of what cannot be recorded", forms.queue
    )
    formats_accepted: Formats = _formats_accepted()
    # 240 s are 360 deliveries of a batch in a day without a database. The queue's
    # maxDeliveryCount of 50 is used up after 3 h 20 min; then the receiver sends receipts here
    # anew, up to 200 times, which is four weeks. A batch that the host itself cannot bind fails
    # 14 times a second, so that the same 50 let its good receipts go on after four seconds.
    # `make check` holds it to the queue's lockDuration and host.json's functionTimeout.
    receipt_wait_seconds: int = _setting(
        "RELAY_RECEIPT_WAIT_SECONDS",
        "seconds that a batch of receipts waits for a database that is away, and is tried again",
        forms.between(1, 240),
        240,
    )


APPS: Mapping[AppName, type[AppSettings]] = {
    "sender": SenderSettings,
    "receiver": ReceiverSettings,
    "tracker": TrackerSettings,
}


def required_names(app: AppName) -> frozenset[str]:
    """Return the names of all settings that `app` does not start without."""
    needed = (f for f in dataclasses.fields(APPS[app]) if f.default is dataclasses.MISSING)
    return frozenset(f.metadata["name"] for f in needed) | {"RELAY_APP"}


def optional_names(app: AppName) -> frozenset[str]:
    """Return the names of all settings of `app` that have a default."""
    every = {f.metadata["name"] for f in dataclasses.fields(APPS[app])}
    return frozenset(every - required_names(app))

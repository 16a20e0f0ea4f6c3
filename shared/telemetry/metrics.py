"""The metrics of the apps: what each counts or measures, and in which unit.

Those that do not begin with `relay.` are of OpenTelemetry's semantic conventions, for messaging and
for HTTP: https://opentelemetry.io/docs/specs/semconv/. Units are of UCUM, as they ask for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One metric. `bounds` are those of its buckets where it is a histogram; without, it counts.

    `is_of_each`: it is recorded for each message or send, so that it must cost little.
    """

    name: str
    unit: str
    description: str
    bounds: tuple[float, ...] = ()
    is_of_each: bool = False


# Those that the conventions advise, and further ones for what waits.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_WAITING = (*_SECONDS, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0)
_COUNTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)

MESSAGES = Metric("relay.messages", "{message}", "Messages by the state that they reach")
REJECTED = Metric(
    "relay.messages.rejected", "{message}", "Rejected messages and receipts by reason"
)
DATA_KEYS = Metric(
    "relay.data_keys", "{key}", "Data keys by operation: made, or opened by the vault"
)
DATA_KEY_CACHE = Metric("relay.data_key_cache", "{lookup}", "Look-ups of data keys by result")
KEY_VAULT = Metric("relay.key_vault.duration", "s", "Calls of Key Vault", _SECONDS)
BATCH_SIZE = Metric("relay.batch.size", "{item}", "What goes together in one call", _COUNTS)
QUEUE_TIME = Metric(
    "relay.queue.duration", "s", "From accepting to handling", _WAITING, is_of_each=True
)
PARTNER = Metric(
    "relay.partner.duration", "s", "Requests to the partner", _SECONDS, is_of_each=True
)
RECEIPTS_DEAD_LETTERED = Metric(
    "relay.receipts.dead_lettered", "{message}", "Messages of receipts that the bus gave up"
)
DENIED = Metric("relay.denied", "{call}", "Calls that a service refused for lack of a right")
THROTTLED = Metric("relay.throttled", "{call}", "Calls that a service refused as too many")
SENT = Metric("messaging.client.sent.messages", "{message}", "Messages sent to a queue")
SENDING = Metric(
    "messaging.client.operation.duration",
    "s",
    "Sends to a queue, of one message or several",
    _SECONDS,
    is_of_each=True,
)
PROCESSING = Metric(
    "messaging.process.duration", "s", "Handling what a queue delivers", _WAITING, is_of_each=True
)
HTTP_CLIENT = Metric(
    "http.client.request.duration", "s", "HTTP requests", _SECONDS, is_of_each=True
)

METRICS = tuple(one for one in list(globals().values()) if isinstance(one, Metric))

"""The rows of the table: what `make bench` measures, and what each figure must be.

A figure is a ratio to what ran beside it in the same run, or a count. `before` is of the version
before the bounds were set, November 2026, on two cores; "host" is Microsoft's own Functions host.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.figures import Bound, Expected


def _at_most(value: float) -> Bound:
    return Bound("at most", value)


def _at_least(value: float) -> Bound:
    return Bound("at least", value)


SEAL = {
    "seal 1 KB": Expected("seal + open over AES-GCM alone, 1 KB", _at_most(3.3), "14.4"),
    "seal 16 KB": Expected("seal + open over AES-GCM alone, 16 KB", _at_most(3.3), "13.5"),
    "seal 190 KB": Expected("seal + open over AES-GCM alone, 190 KB", _at_most(3.3), "5.5"),
}
IMPORTS = {
    "import sender": Expected(
        "importing the sender over importing its SDK packages", _at_most(1.15), "1.45"
    ),
    "import receiver": Expected(
        "importing the receiver over importing its SDK packages", _at_most(1.15), "1.08"
    ),
    "import tracker": Expected(
        "importing the tracker over importing its SDK packages", _at_most(1.15), "1.27"
    ),
    "import read-only": Expected(
        "importing from a read-only package over importing with byte code", _at_most(1.1), "3.3"
    ),
}
COLD = {
    "cold encrypts": Expected("64 cold callers: encrypts at the vault", _at_most(1), "1"),
    "cold decrypts": Expected("64 cold callers: decrypts at the vault", _at_most(1), "1"),
    "cold first message": Expected(
        "first message of a cold sender over its longest single step", _at_most(1.5), "570 ms"
    ),
}
IDLE = {
    "idle accepted": Expected(
        "one message, idle: accepted p50 over the bare SDK's send", _at_most(2), "6 ms"
    ),
    "idle at the partner": Expected(
        "one message, idle: at the partner p50 over the bare SDK's send, receive and post",
        _at_most(3),
        "65 to 110 ms",
    ),
}
END_TO_END = {
    "end to end": Expected(
        "end to end over the bare SDK sending, receiving and completing", _at_least(0.5), "0.3"
    ),
    "bus operations": Expected(
        "Service Bus operations for a delivered message, under load", _at_most(3.3), "6"
    ),
    "executions": Expected(
        "function executions for a delivered message, under load", _at_most(1.05), "up to 2"
    ),
}
BESIDE = {
    "accepted empty": Expected("accepted/s over an empty function", _at_least(0.7), "0.45 (host)"),
    "delivered empty": Expected("delivered/s over an empty trigger", _at_least(0.8), "0.56 (host)"),
    "accepted SDKs": Expected(
        "accepted/s over a sender that only inserts, sends and updates", _at_least(0.6)
    ),
    "delivered SDKs": Expected(
        "delivered/s over a receiver that only posts and sends a receipt", _at_least(0.7)
    ),
    "sender CPU": Expected(
        "CPU of the sender's worker a message over the sample's", _at_most(0.7), "1.4"
    ),
    "receiver CPU": Expected(
        "CPU of the receiver's worker a message over the sample's", _at_most(0.37), "0.74"
    ),
    "accepted": Expected("accepted/s over the sample's", _at_least(5), "3.5"),
    "delivered": Expected("delivered/s over the sample's", _at_least(5), "1.7"),
}
DISTANT = {
    "accepted distant": Expected(
        "accepted/s over the sample's, 5 ms to vault and bus", _at_least(12), "9.6"
    ),
    "delivered distant": Expected(
        "delivered/s over the sample's, 5 ms to vault and bus", _at_least(6), "3.2"
    ),
}
SLOW_PARTNER = {
    "slow partner": Expected(
        "delivered/s where 1 of 100 answers takes 10 s, over single triggers that only wait",
        _at_least(1),
        "1",
    ),
    "slow partner batched": Expected(
        "the same of triggers that take batches, over single triggers that only wait"
    ),
}
TELEMETRY = {
    "telemetry accepted": Expected(
        "accepted/s with telemetry over accepted/s without", _at_least(0.9)
    ),
    "telemetry delivered": Expected(
        "delivered/s with telemetry over delivered/s without", _at_least(0.9)
    ),
    "telemetry sender CPU": Expected(
        "CPU of the sender's host and worker a message, with telemetry over without",
        _at_most(1.15),
    ),
    "telemetry receiver CPU": Expected(
        "CPU of the receiver's host and worker a message, with telemetry over without",
        _at_most(1.15),
    ),
    "telemetry items": Expected(
        "items of telemetry a message, by host and app", _at_most(6), "26 (host)"
    ),
    "telemetry bytes": Expected(
        "bytes of telemetry a message, by host and app", _at_most(6000), "24,000 (host)"
    ),
}
VAULT = {
    "vault operations": Expected(
        "Key Vault operations per 1,000 messages, one instance of each app", _at_most(3), "2.7"
    ),
    "vault operations, several": Expected(
        "Key Vault operations per 1,000 messages, three senders and receivers", _at_most(3)
    ),
}


def _ledger(database: str, status: str, page: str, at_once: str) -> Mapping[str, Expected]:
    """Return the rows of a database, each with what it was before."""
    name = f"ledger in {database}: "
    return {
        f"ledger status {database}": Expected(
            f"{name}one message of a million beside one of 1,000", _at_most(1.5), status
        ),
        f"ledger page {database}": Expected(
            f"{name}the newest hundred of a million beside those of 1,000", _at_most(1.5), page
        ),
        f"ledger at once {database}": Expected(
            f"{name}200 requests at once beside one after the other", _at_most(0.2), at_once
        ),
    }


SQLITE = _ledger("SQLite", "1.01", "1.01", "0.03")
POSTGRESQL = _ledger("PostgreSQL", "1.00", "1.03", "0.06")

EXPECTED: Mapping[str, Expected] = {
    **SEAL,
    **BESIDE,
    **DISTANT,
    **END_TO_END,
    **SLOW_PARTNER,
    **TELEMETRY,
    **VAULT,
    **COLD,
    **IDLE,
    **IMPORTS,
    **SQLITE,
    **POSTGRESQL,
}

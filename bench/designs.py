"""What a message costs: in Sealed Relay, in it with smaller data keys, and in the sample. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bench import inputs
from shared.settings.settings import SenderSettings


@dataclass(frozen=True)
class Design:
    """What one message costs, delivered at once. CPU in seconds of one core, sizes in bytes.

    `receipts` is the number of receipts in one message of the bus. `key_messages` and `key_seconds`
    bound a data key: 0 where every message has a key of its own. `ledger_writes` are rows. A
    deployment is partitioned where it would ask Key Vault more than `vault_share` times for 1,000
    messages.
    """

    name: str
    sender_cpu: float
    receiver_cpu: float
    tracker_cpu: float
    receipts: float
    key_messages: int
    key_seconds: float
    ledger_writes: int
    vault_share: float = math.inf

    @property
    def bus_operations(self) -> float:
        """Sends, receives and completions for a delivered message."""
        return 3 + (3 / self.receipts if self.receipts else 0)

    @property
    def bus_credits(self) -> float:
        """What throttling of the Standard tier counts: sends and receives, not completions."""
        return 2 + (2 / self.receipts if self.receipts else 0)

    @property
    def executions(self) -> float:
        """Calls of functions for a delivered message, at both ends; a batch of receipts is one."""
        return 2 + (1 / inputs.RECEIPT_BATCH.value if self.receipts else 0)


RELAY = Design(
    name="Sealed Relay",
    sender_cpu=inputs.SENDER_CPU.value / 1000,
    receiver_cpu=inputs.RECEIVER_CPU.value / 1000,
    tracker_cpu=inputs.TRACKER_CPU.value / 1000,
    receipts=inputs.RECEIPTS_TOGETHER.value,
    key_messages=SenderSettings.data_key_messages,
    key_seconds=SenderSettings.data_key_seconds,
    ledger_writes=3,  # accepted, queued, delivered
    vault_share=inputs.VAULT_SHARE.value,
)
SMALL_KEYS = replace(
    RELAY,
    name="Sealed Relay, RELAY_DATA_KEY_MESSAGES=1000",
    key_messages=1000,
    vault_share=math.inf,
)
SAMPLE = Design(
    name="the sample",
    sender_cpu=inputs.SAMPLE_SENDER_CPU.value / 1000,
    receiver_cpu=inputs.SAMPLE_RECEIVER_CPU.value / 1000,
    tracker_cpu=0.0,
    receipts=0,
    key_messages=0,
    key_seconds=0.0,
    ledger_writes=0,
)

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bench import inputs
from bench.capacity import (
    PARTITIONED,
    Instances,
    instances,
    limits,
    messaging_units,
    plan,
    sealed_size,
    vault_operations,
)
from bench.designs import RELAY, SAMPLE, SMALL_KEYS, Design
from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.protected_header import MessageHeader
from shared.message.receipt import Receipt
from shared.message.state import State

KB = 1024


def test_a_sealed_message_is_as_large_as_worked_out() -> None:
    key_id = f"https://relay-payload-abc123.vault.azure.net/keys/payload/{'0' * 32}"
    header = MessageHeader("11111111-1111-4111-8111-111111111111", "application/json")
    wrapped = WrappedKey(key_id, os.urandom(384))
    for size in (1, KB, 190_000):
        token = seal(os.urandom(size), header, DataKey.generate(), wrapped)
        assert len(token) == pytest.approx(sealed_size(size), rel=0.05)


def test_a_receipt_is_as_large_as_worked_out() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    receipt = Receipt(
        "11111111-1111-4111-8111-111111111111",
        State.DELIVERED,
        at,
        attempts=1,
        key_version="0" * 32,
        content_type="text/plain",
        size=KB,
    )
    assert len(receipt.to_json()) == pytest.approx(inputs.RECEIPT_BYTES.value, rel=0.2)


def test_a_receipt_that_travels_alone_costs_as_much_as_its_message() -> None:
    alone = replace(RELAY, receipts=1)
    assert (alone.bus_operations, alone.bus_credits) == (6, 4)
    together = replace(RELAY, receipts=10)
    assert together.bus_operations == pytest.approx(3.3)
    assert together.bus_credits == pytest.approx(2.2)
    assert (SAMPLE.bus_operations, SAMPLE.bus_credits) == (3, 2)


@pytest.mark.parametrize(
    ("rate", "running", "operations"),
    [
        # One of each: a key for 32,768 messages, an encrypt and a decrypt.
        (1000, Instances(1, 1, 1), 2000 / 32_768),
        # Ten receivers meet every key.
        (1000, Instances(1, 10, 1), 11_000 / 32_768),
        # So slow that five minutes end a key: one of 60 messages, which one receiver opens.
        (0.2, Instances(1, 1, 1), 2 / 300),
        # Slower still, each message has its key.
        (0.001, Instances(1, 1, 1), 0.002),
    ],
)
def test_the_vault_is_asked_for_each_key_by_its_sender_and_by_each_receiver(
    rate: float, running: Instances, operations: float
) -> None:
    assert vault_operations(RELAY, rate, running) == pytest.approx(operations, rel=0.01)


@pytest.mark.parametrize(
    ("rate", "running"),
    [
        (60, Instances(3, 3, 1)),
        (207, Instances(3, 40, 1)),  # as deployed: three senders that are busy, all receivers
    ],
)
def test_a_thousand_messages_cost_three_operations_with_several_instances(
    rate: float, running: Instances
) -> None:
    assert vault_operations(RELAY, rate, running) <= 3 * rate / 1000


@pytest.mark.parametrize("rate", [100, 1000, 10_000, 1_000_000])
def test_a_thousand_messages_cost_three_operations_however_many_there_are(rate: float) -> None:
    assert plan(RELAY, rate, KB).vault_share <= 3


def test_of_few_messages_not_every_receiver_meets_a_key() -> None:
    running = Instances(1000, 100, 10)
    # 1,000 senders that send a message in five minutes each.
    assert vault_operations(RELAY, 1000 / 300, running) == pytest.approx(2 * 1000 / 300)


def test_the_sample_asks_the_vault_twice_for_each_message() -> None:
    assert vault_operations(SAMPLE, 50, Instances(2, 2, 0)) == 100


def test_instances_follow_from_cpu_and_from_a_partner_that_is_waited_for() -> None:
    assert instances(RELAY, 600 / 8.7).sender == 1
    assert instances(RELAY, 601 / 8.7).sender == 2
    patient = replace(RELAY, receiver_cpu=0.0001)
    # 3,200 messages at a tenth of a second are 320 at once, 32 in each instance.
    assert instances(patient, 3200).receiver == 10


def test_the_limits_come_with_the_narrowest_first() -> None:
    for design in (RELAY, SAMPLE):
        rates = [limit.rate for limit in limits(design, KB)]
        assert rates == sorted(rates)


def test_the_vault_is_just_used_up_at_its_limit() -> None:
    (limit,) = (limit for limit in limits(RELAY, KB) if limit.name == "Key Vault")
    for rate, fits in ((limit.rate - 30, True), (limit.rate + 60, False)):
        asked = vault_operations(RELAY, rate, instances(RELAY, rate))
        assert (asked <= inputs.VAULT_OPERATIONS.value) is fits


def test_a_larger_payload_needs_more_messaging_units() -> None:
    assert messaging_units(RELAY, 1000, 4_000_000 / 1000 - inputs.RECEIPT_BYTES.value) == 1
    assert messaging_units(SAMPLE, 1000, 4000) == 1


@pytest.mark.parametrize("rate", [1, 100, 454, 456, 10_000, 1_000_000])
@pytest.mark.parametrize("design", [RELAY, SMALL_KEYS], ids=["default", "small keys"])
def test_each_deployment_of_a_plan_is_within_every_limit(design: Design, rate: float) -> None:
    made = plan(design, rate, KB)
    share = rate / made.deployments
    allowed = {limit.name: limit.rate for limit in limits(design, KB)}
    premium = "Service Bus Premium, 4 partitions"
    assert share <= allowed["Service Bus Standard" if made.tier == "Standard" else premium]
    assert share <= min(allowed["Key Vault"], allowed["Functions, cores"])
    assert made.each == instances(design, share)
    assert made.cost == sum(made.costs.values()) > 0


def test_a_plan_has_no_more_deployments_than_it_needs() -> None:
    for design, name in ((RELAY, PARTITIONED), (SMALL_KEYS, "Key Vault")):
        (rate,) = (limit.rate for limit in limits(design, KB) if limit.name == name)
        assert plan(design, rate - 1, KB).deployments == 1
        assert plan(design, rate + 1, KB).deployments == 2


def test_the_standard_tier_has_tiers_of_prices() -> None:
    # 2 operations of the sample more than 13 million: 0.80 a million, beside the base charge.
    second = 730 * 3600
    rate = 14e6 / second / SAMPLE.bus_operations
    assert plan(SAMPLE, rate, KB).costs["Service Bus"] == pytest.approx(9.81 + 0.80, rel=0.01)


def test_a_message_costs_less_than_the_samples_at_every_rate() -> None:
    for rate in (100, 10_000, 1_000_000):
        assert plan(RELAY, rate, KB).per_million < plan(SAMPLE, rate, KB).per_million


def test_every_input_names_its_source() -> None:
    assert len(inputs.INPUTS) > 30
    assert all(one.source and one.name for one in inputs.INPUTS)

"""What the operator's commands list, replay and drop."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage

from shared.message.message_id import digest_suffix
from tests.pipeline.cloud_process import ROOT, Running
from tests.pipeline.ops_cli import (
    PLANTED,
    TRACE,
    Ended,
    Taken,
    left,
    message,
    ops,
    reject,
    taken,
    waiting,
)


def rows(shown: Ended) -> list[list[str]]:
    """The words of each message's first line in a table."""
    return [line.split() for line in shown.out.splitlines() if "#" in line]


async def test_rejected_messages_are_listed_without_payloads(still: Running) -> None:
    dead = ServiceBusMessage(
        PLANTED,
        message_id="crashed",
        application_properties={
            "DeadLetterReason": "MaxDeliveryCountExceeded",
            "DeadLetterErrorDescription": "10 tries \x1b[31m",
        },
    )
    await reject(still, [message("one.3"), message("two.r7.1", "retries-exhausted"), dead])
    shown = await ops(still, "rejected")
    assert shown.code == 0
    assert [(words[1], words[-1]) for words in rows(shown)] == [
        ("2", "one"),
        ("2", "two"),
        ("0", "crashed"),
    ]
    assert "partner-refused: the partner says 400" in shown.out
    assert "MaxDeliveryCountExceeded: 10 tries \\x1b[31m" in shown.out
    as_json = await ops(still, "rejected", "--json")
    assert [one["id"] for one in as_json.json["messages"]] == ["one", "two", "crashed"]
    assert as_json.json["messages"][0]["detail"] == "the partner says 400"
    some = await ops(still, "rejected", "--json", "--reason", "partner-refused")
    assert [one["message_id"] for one in some.json["messages"]] == ["one.3"]
    limited = await ops(still, "rejected", "--limit", "2")
    assert [words[-1] for words in rows(limited)] == ["one", "two"]
    assert "the first 2" in limited.err
    assert PLANTED not in str((shown, as_json, some, limited))


async def test_a_chosen_message_goes_again_as_it_was(still: Running) -> None:
    await reject(still, [message("before"), message("chosen.r1.2"), message("after")])
    listed = (await ops(still, "rejected", "--json")).json["messages"]
    number = listed[1]["sequence_number"]
    done = await ops(still, "replay", "chosen", "nobody", "--json")
    assert done.code == 1
    assert done.json["replayed"] == [{"id": "chosen", "sequence_number": number}]
    assert [one["id"] for one in done.json["not_done"]] == ["nobody"]
    (again,) = await taken(still)
    traced = {"traceparent": TRACE, "Diagnostic-Id": TRACE}
    own_id = f"chosen.r{number}{digest_suffix(PLANTED.encode())}"
    assert again == Taken(own_id, PLANTED, "application/jose", traced)
    rest = (await ops(still, "rejected", "--json")).json["messages"]
    assert rest == [
        {**one, "age_seconds": rest[n]["age_seconds"]}
        for n, one in enumerate([listed[0], listed[2]])
    ]
    assert (await ops(still, "replay", "before", "after")).out == "replayed 2 messages\n"


async def test_a_message_without_an_id_of_ours_goes_by_its_number(still: Running) -> None:
    await reject(still, [message("no id\nof ours")])
    (listed,) = (await ops(still, "rejected", "--json")).json["messages"]
    assert listed["id"] is None
    assert "\\n" in (await ops(still, "rejected")).out
    assert (await ops(still, "replay", f"#{listed['sequence_number']}")).code == 0
    (again,) = await taken(still)
    assert (
        again.id == f"no id\nof ours.r{listed['sequence_number']}{digest_suffix(PLANTED.encode())}"
    )


@pytest.mark.long
async def test_all_of_a_reason_go_and_the_others_stay(still: Running) -> None:
    reasons = ("partner-refused", "retries-exhausted", "undecryptable-tampered")
    await reject(still, [message(f"m{n}", reasons[n % 3]) for n in range(150)])
    done = await ops(still, "replay", "--all", "--reason", "retries-exhausted", "--json")
    assert done.code == 0
    went = {f"m{n}" for n in range(1, 150, 3)}
    assert {one["id"] for one in done.json["replayed"]} == went
    assert {one.id.partition(".")[0] for one in await taken(still)} == went
    assert await left(still) == 100
    assert (await ops(still, "replay", "--all", "--reason", "unheard-of")).code == 0
    assert await left(still) == 100
    assert (await ops(still, "replay", "--all")).out == "replayed 100 messages\n"


@pytest.mark.long
async def test_a_message_is_dropped_when_that_is_certain(still: Running) -> None:
    await reject(still, [message("keep"), message("drop")])
    unasked = await ops(still, "drop", "drop")
    assert (unasked.code, unasked.out) == (2, "")
    assert "--yes" in unasked.err
    for answer, code, remain in [(b"n\n", 1, 2), (b"y\n", 0, 1)]:
        assert drop_on_a_terminal(still, answer) == code
        assert await left(still) == remain
    dropped = await ops(still, "drop", "drop", "--yes")
    assert dropped.code == 1
    assert "there is no such rejected message" in dropped.err
    done = await ops(still, "drop", "keep", "--yes", "--json")
    assert [one["id"] for one in done.json["dropped"]] == ["keep"]
    assert await waiting(still, "messages") == 0


def drop_on_a_terminal(cloud: Running, answer: bytes) -> int:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ops", "drop", "drop", "--folder", str(cloud.folder)]
    try:
        with subprocess.Popen(
            command, cwd=ROOT, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            os.write(ours, answer)
            _, shown = process.communicate(timeout=60)
        assert b"Drop 1 for good?" in shown
        assert b"partner-refused" in shown
        return process.returncode
    finally:
        os.close(ours)
        os.close(theirs)


async def test_the_default_credential_does_and_another_principal_is_refused(
    still: Running,
) -> None:
    await reject(still, [message("mine")])
    environment = await still.environment("operator")
    shown = await ops(still, "rejected", "--json", environment=environment)
    assert [one["id"] for one in shown.json["messages"]] == ["mine"]
    other = await still.environment("sender")
    taken_over = environment | {
        "IDENTITY_HEADER": other["IDENTITY_HEADER"],
        "AZURE_CLIENT_ID": other["RELAY_IDENTITY_SENDER_BUS"],
    }
    for command in (["rejected"], ["replay", "--all"], ["drop", "mine", "--yes"]):
        refused = await ops(still, *command, environment=taken_over)
        assert (refused.code, refused.out) == (1, "")
        assert "does not have the rights of an operator" in refused.err
        assert len(refused.err.splitlines()) == 1


async def test_an_empty_queue_is_reported(still: Running) -> None:
    environment = await still.environment("operator")
    away = await ops(
        still, "rejected", environment=environment | {"RELAY_BUS_ENDPOINT": "sb://127.0.0.1:1"}
    )
    assert (away.code, away.out) == (1, "")
    assert "does not answer" in away.err


def test_where_is_to_be_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ops", "rejected"]
    away = ("--folder", str(tmp_path))
    for where, why, code in [((), "--namespace", 2), (away, "no local cloud is up", 1)]:
        ended = subprocess.run(
            [*command, *where],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (code, "")
        assert why in ended.stderr


async def test_the_local_start_has_migrated_the_ledger(cloud: Running) -> None:
    ended = await ops(cloud, "migrate")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "the ledger is at version 0003 already\n"

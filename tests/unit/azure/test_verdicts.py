"""What counts as passed."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.partner.retries import Schedule
from tests.azure import verdicts
from tests.azure.outcome import Outcome, Results, table
from tests.azure.private import public_key
from tests.azure.readings import Key
from tests.azure.redaction import Redactor
from tests.azure.verdicts import Answers

WELL = Answers({202: 2, 503: 1}, ["a", "b"])


def test_a_key_stays_as_it_was() -> None:
    assert verdicts.same_key(Key("1", 5), Key("1", 5)) == []
    assert "new version" in verdicts.same_key(Key("1", 5), Key("2", 5))[0]
    assert "expiry" in verdicts.same_key(Key("1", 5), Key("1", 6))[0]


def test_what_was_accepted_has_to_arrive_and_may_arrive_twice() -> None:
    assert verdicts.delivered(["a", "b"], {"a": 1, "b": 2, "of before": 1}) == []
    (missing,) = verdicts.delivered(list("abcde"), {"a": 1})
    assert missing == "4 accepted messages are not at the partner: b, c, d and 1 more"
    assert verdicts.no_early_arrival(["a"], {"b": 1}) == []
    assert verdicts.no_early_arrival(["a"], {"a": 1}) != []


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        (Answers({202: 1, 500: 3}, ["a"]), "3 answers of status 500"),
        (Answers({202: 1, 401: 1}, ["a"]), "status 401"),
        (Answers({202: 1, 503: 2}, ["a"], 2), "without Retry-After"),
        (Answers({202: 1}, ["a"], 0, {"TimeoutError": 2}), "2 requests broke: TimeoutError"),
        (Answers({503: 9}), "no message was accepted"),
        (Answers({}), "no message was accepted"),
        (Answers({202: 2}, ["a"]), "did not name its message"),
    ],
)
def test_load_is_answered_202_or_503_and_nothing_else(answers: Answers, word: str) -> None:
    assert verdicts.took_load(WELL) == []
    assert any(word in problem for problem in verdicts.took_load(answers))


@pytest.mark.parametrize(
    ("measured", "well"),
    [([20, 35, None], True), ([36], False), ([], False), ([None, None], False)],
)
def test_the_database_takes_so_many_connections(measured: list[float | None], well: bool) -> None:
    assert (verdicts.within_connections(measured, 35) == []) is well


@pytest.mark.parametrize(
    ("instances", "well"),
    [
        ([1, 1, None, None, None, None, None], True),
        ([1, 0, 0, 0, 0, 0], True),
        ([1, None, None, None, 1], False),
        ([1, 0, 0, 1, 0], False),
        ([None] * 30, False),  # never measured: nothing is known
        ([], False),
    ],
)
def test_an_app_is_at_zero_where_it_had_instances_and_has_none(
    instances: list[float | None], well: bool
) -> None:
    assert (verdicts.not_at_zero(instances) == []) is well


def test_the_wait_is_as_long_as_the_schedule_makes_it() -> None:
    schedule = Schedule.parse("5s,5m,30m,2h")
    # Away for an hour: attempts at 0 s, 5 s, 5 min, 35 min fail, that at 2 h 35 min does not.
    an_hour = verdicts.last_attempt_seconds(schedule, 3600)
    assert an_hour == pytest.approx((5 + 300 + 1800 + 7200) * 1.2 + 600)
    assert verdicts.last_attempt_seconds(schedule, 60) == pytest.approx((5 + 300) * 1.2 + 600)
    assert verdicts.last_attempt_seconds(Schedule.parse("5s"), 60) == 660


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=s3cr3t+/=;x", "s3cr3t"),
        ("DefaultEndpointsProtocol=https;AccountKey=s3cr3t==", "s3cr3t"),
        ("postgresql+asyncpg://relay:s3cr3t@host:5432/relay", "s3cr3t"),
        ("whsec_s3cr3tAAAA=", "s3cr3t"),
        ("https://x/api/access?code=s3cr3t-_=&x=1", "s3cr3t"),
        ("https://x/?sv=1&sig=s3cr3t%2B", "s3cr3t"),
        ("Authorization: Bearer s3cr3t.x", "s3cr3t"),
        ("token eyJhbGciOi.eyJzM2NyM3Qi.c2ln", "eyJzM2NyM3Qi"),
        ("the key known-and-s3cr3t was refused", "known-and-s3cr3t"),
        ("known-and-s3cr3t-too is longer", "s3cr3t"),
    ],
)
def test_no_secret_is_left_in_what_is_shown(text: str, secret: str) -> None:
    redactor = Redactor()
    redactor.learn("known-and-s3cr3t")
    redactor.learn("known-and-s3cr3t-too")
    assert secret not in redactor.clean(text)
    assert "***" in redactor.clean(text)


def test_what_is_no_secret_stays() -> None:
    redactor = Redactor()
    redactor.learn("short")
    text = "`az group delete --name relay-test-0a1b2c` failed (1): short of quota in https://x/y"
    assert redactor.clean(text) == text


def test_only_a_run_in_which_every_step_passed_has_passed(tmp_path: Path) -> None:
    results = Results(tmp_path / "r" / "x.json", "x", "s", "l", ["one", "two"])
    passed = [results.passed]
    for outcome in (Outcome("one", "passed"), Outcome("two", "not run")):
        results.add(outcome)
        passed.append(results.passed)
    assert passed == [False, False, False], "a step that was not run has not passed"
    results.outcomes[1] = Outcome("two", "passed")
    assert results.passed
    assert not Results(tmp_path, "x", "s", "l", []).passed, "nothing asked for is nothing passed"


def test_the_table_takes_brackets_as_they_are() -> None:
    shown = table([Outcome("one", "failed", 61, ["the value of Version should be in []"])])
    assert shown.row_count == 1


def test_a_machine_gets_a_key_that_nobody_has() -> None:
    assert public_key().startswith("ssh-ed25519 ")
    assert public_key() != public_key()

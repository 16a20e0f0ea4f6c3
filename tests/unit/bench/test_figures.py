from __future__ import annotations

import pytest

from bench.figures import (
    Bound,
    Expected,
    Figure,
    Sample,
    as_json,
    made_on,
    markdown,
    percentile,
    rows,
    shown,
    spent,
    steady,
    tally,
)

AT_MOST_3 = Expected("seal", Bound("at most", 3.0), "5")
AT_LEAST_2 = Expected("rate", Bound("at least", 2.0), "1")


@pytest.mark.parametrize(
    ("expected", "figure", "verdict"),
    [
        (AT_MOST_3, 3.0, "reached"),
        (AT_MOST_3, 3.01, "not reached"),
        (AT_LEAST_2, 2.0, "reached"),
        (AT_LEAST_2, 1.99, "not reached"),
        (Expected("free"), 7.0, ""),
    ],
)
def test_a_figure_is_held_to_its_bound(expected: Expected, figure: float, verdict: str) -> None:
    (row,) = rows({"row": expected}, {"row": Figure(figure)}, {})
    assert row.verdict == verdict


@pytest.mark.parametrize(
    ("expected", "figure", "floor", "verdict"),
    [
        (AT_LEAST_2, 1.5, 1.99, "out of reach"),
        (AT_LEAST_2, 1.5, 2.0, "not reached"),
        (AT_LEAST_2, 2.0, 1.5, "reached"),
        (AT_MOST_3, 4.0, 3.01, "out of reach"),
        (AT_MOST_3, 4.0, 3.0, "not reached"),
        (Expected("free"), 7.0, 8.0, ""),
    ],
)
def test_a_bound_that_the_sdks_alone_miss_is_out_of_reach(
    expected: Expected, figure: float, floor: float, verdict: str
) -> None:
    (row,) = rows({"row": expected}, {"row": Figure(figure, "worker 2 ms", floor=floor)}, {})
    assert row.verdict == verdict
    measured = "the SDKs alone reach" in markdown([as_json(row)])
    assert measured == (verdict not in ("", "reached"))


def test_what_holds_and_what_does_not_is_counted() -> None:
    given = {"a": AT_MOST_3, "b": AT_LEAST_2, "c": AT_LEAST_2, "d": Expected("free")}
    figures = {"a": Figure(2.0), "b": Figure(1.0), "c": Figure(1.0, floor=1.5), "d": Figure(1.0)}
    found = [as_json(row) for row in rows(given, figures, {})]
    assert tally(found) == "1 reached, 1 out of reach, 1 not reached"
    assert tally(found[:1]) == "1 reached"


def test_a_row_without_a_figure_says_why() -> None:
    given = {"a": AT_MOST_3, "b": AT_LEAST_2}
    failed, forgotten = rows(given, {}, {"a": "the cloud did not come up"})
    assert (failed.verdict, failed.note) == ("not measured", "the cloud did not come up")
    assert (forgotten.verdict, forgotten.note) == ("not measured", "nothing measured it")


def test_a_figure_that_no_row_expects_is_not_lost() -> None:
    with pytest.raises(ValueError, match="no row of the table is named typo"):
        rows({"row": AT_MOST_3}, {"typo": Figure(1.0)}, {})


@pytest.mark.parametrize(
    ("load", "others", "is_quiet"),
    [(0.9, None, True), (1.1, None, False), (7.4, 0.05, True), (0.1, 0.2, False)],
)
def test_the_figures_of_a_machine_that_was_not_quiet_are_marked(
    load: float, others: float | None, is_quiet: bool
) -> None:
    results = {
        "machine": {"system": "Linux", "processors": 2, "python": "3.13.0"},
        "before": {"at": "2026-11-26T10:00:00+00:00", "load_average": [load, 1.0, 1.0]},
        "others": others,
        "seconds": 600,
    }
    assert ("mean little" not in made_on(results)) is is_quiet


def test_a_document_has_the_reason_of_what_is_not_reached_only() -> None:
    found = rows(
        {"a": AT_MOST_3, "b": AT_LEAST_2},
        {"a": Figure(2.0, "worker 1 ms"), "b": Figure(1.5, "worker 2 ms")},
        {},
    )
    table = markdown([as_json(row) for row in found])
    assert "| seal | 5 | at most 3 | 2 | reached |" in table
    assert "| rate | 1 | at least 2 | 1.5 | not reached: worker 2 ms |" in table


def test_what_was_refused_is_shown_whatever_the_verdict() -> None:
    found = rows(
        {"a": AT_MOST_3, "b": AT_LEAST_2, "c": Expected("free")},
        {
            "a": Figure(2.0, "worker 1 ms", {"the sample": 1296}),
            "b": Figure(1.5, "worker 2 ms", {"the relay": 2, "the sample": 1}),
            "c": Figure(1.0, "", {"the sample": 1}),
        },
        {},
    )
    table = markdown([as_json(row) for row in found])
    assert "| 2 | reached: the sample refused 1,296 |" in table
    assert "| not reached: worker 2 ms; the relay refused 2, the sample refused 1 |" in table
    assert "| free |  |  | 1 | the sample refused 1 |" in table


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.5, 5), (0.9, 9), (0.99, 10), (1.0, 10), (0.1, 1), (0.11, 2)]
)
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], share) == value


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def samples(*counts: int, worker_ms: float = 2.0) -> list[Sample]:
    """Make a sample each second, of a worker that takes so long for each message."""
    return [Sample(float(n), c, {"worker": c * worker_ms / 1000}) for n, c in enumerate(counts)]


def test_the_beginning_and_the_end_are_not_part_of_the_rate() -> None:
    # Nothing for two seconds, 100 a second for ten, a straggler a minute later.
    counts = [0, 0, *range(100, 1100, 100), *[1000] * 50, 1001]
    assert steady(samples(*counts)).rate == pytest.approx(100.0)


def test_cpu_is_that_of_the_messages_in_between() -> None:
    begun = Sample(0.0, 0, {"worker": 5.0})  # its start, which no message is charged with
    rest = [
        Sample(one.at + 1, one.count, {"worker": 5.0 + one.cpu["worker"]})
        for one in samples(*range(0, 1000, 100))
    ]
    assert steady([begun, *rest]).cpu_ms["worker"] == pytest.approx(2.0)


def test_a_few_messages_that_came_at_once_have_a_rate_too() -> None:
    assert steady(samples(0, 0, 10)).rate == pytest.approx(10.0)


@pytest.mark.parametrize("counts", [(), (0,), (0, 0, 0), (5, 5)])
def test_where_nothing_arrived_there_is_no_rate(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"sampled|no message"):
        steady(samples(*counts))


def test_where_the_time_went_begins_with_the_most() -> None:
    assert spent({"host": 1.0, "worker": 2.5}) == "CPU ms a message: worker 2.50, host 1.00"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0337, "0.0337"), (1.0, "1"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_a_figure_has_three_digits(value: float, text: str) -> None:
    assert shown(value) == text

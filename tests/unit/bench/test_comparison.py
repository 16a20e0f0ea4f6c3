from __future__ import annotations

from bench.comparison import EMPTY, SAMPLE, Accepted, Comparison
from bench.expectations import BESIDE, DISTANT
from bench.figures import SDKS, Steady
from bench.load import RELAY, Load


def accepted(rate: int, failures: dict[str, int] | None = None) -> Accepted:
    """Make what was accepted within a second, by a worker that takes 2 ms a message."""
    return Accepted(Load(1.0, [0.01] * rate, failures or {}), {"worker": 2.0, "host": 1.0})


def comparison(
    *, of_sample: dict[str, int], of_relay: dict[str, int], speeds: tuple[float, ...] = (1.0,)
) -> Comparison:
    """Make turns, one on a machine of each speed; the failures are of the first."""
    fails = {RELAY: of_relay, SAMPLE: of_sample}
    accepting = {RELAY: 400, SAMPLE: 100, EMPTY: 1000, SDKS: 500}
    delivering = {RELAY: 200.0, SAMPLE: 50.0, EMPTY: 400.0, SDKS: 250.0}
    return Comparison(
        {
            name: [
                accepted(int(rate * speed), {} if turn else fails.get(name))
                for turn, speed in enumerate(speeds)
            ]
            for name, rate in accepting.items()
        },
        {
            name: [Steady(rate * speed, {"worker": 1 / speed}) for speed in speeds]
            for name, rate in delivering.items()
        },
    )


def test_each_row_is_a_rate_over_another() -> None:
    figures = comparison(of_sample={}, of_relay={}).figures()
    assert figures.keys() == BESIDE.keys()
    values = {name: round(figure.value, 3) for name, figure in figures.items()}
    assert values["accepted empty"] == 0.4
    assert values["delivered empty"] == 0.5
    assert (values["accepted SDKs"], values["delivered SDKs"]) == (0.8, 0.8)
    assert (values["accepted"], values["delivered"]) == (4.0, 4.0)


def test_a_row_beside_others_has_what_the_sdks_alone_reach() -> None:
    found = comparison(of_sample={}, of_relay={})
    figures = {**found.figures(), **found.distant_figures()}
    floors = {name: figure.floor for name, figure in figures.items() if figure.floor is not None}
    assert floors == {
        "accepted empty": 0.5,
        "delivered empty": 0.625,
        **dict.fromkeys(("accepted", "delivered", *DISTANT), 5.0),
    }
    assert figures["accepted empty"].note.startswith("400/s of 1,000/s")


def test_a_machine_that_is_slower_for_some_turns_changes_no_ratio() -> None:
    steady = comparison(of_sample={}, of_relay={}).figures()
    drifting = comparison(of_sample={}, of_relay={}, speeds=(1.0, 0.5, 0.25, 0.5)).figures()
    assert {name: one.value for name, one in drifting.items()} == {
        name: one.value for name, one in steady.items()
    }


def test_a_row_shows_the_rates_and_the_cpu_of_the_turn_in_the_middle() -> None:
    figures = comparison(of_sample={}, of_relay={}, speeds=(1.0, 0.5, 0.25)).figures()
    assert "100/s of 200/s; CPU ms a message: worker 2.00" in figures["delivered empty"].note


def test_what_either_of_two_refused_is_part_of_the_row() -> None:
    failing = comparison(of_sample={"status 500": 296, "TimeoutError": 4}, of_relay={})
    near, distant = failing.figures(), failing.distant_figures()
    assert distant.keys() == DISTANT.keys()
    refused = {SAMPLE: 300}
    for figures, names in ((near, {"accepted", "sender CPU"}), (distant, {"accepted distant"})):
        found = {name: figure.refused for name, figure in figures.items() if figure.refused}
        assert found == dict.fromkeys(names, refused)
    assert failing.refused == 0


def test_what_the_relay_refused_is_part_of_each_row_about_accepting() -> None:
    failing = comparison(of_sample={}, of_relay={"status 503": 2})
    refusing = {name for name, figure in failing.figures().items() if figure.refused}
    assert refusing == {"accepted empty", "accepted SDKs", "accepted", "sender CPU"}
    assert failing.refused == 2

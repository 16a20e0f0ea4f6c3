"""The script from its command line on: what it refuses, in which order it works, what it leaves."""

from __future__ import annotations

import signal

import pytest

from tests.azure import cli
from tests.azure.plan import steps
from tests.unit.azure.conftest import ACCOUNT, SUBSCRIPTION, SURE, USUAL, World
from tests.unit.azure.fake_programs import SECRETS

STEPS = [step.name for step in steps(60)]
PUBLIC = [step.name for step in steps(60) if step.on == "public"]
# In each of them, a command that the step cannot do without.
FAILING = {
    "deploy-at-once": "azd deploy",
    "provision-twice": "azd provision",
    "key-rotated": "az keyvault key rotate",
    "prove-both": "python -m ops prove",
    "app-made-again": "az functionapp delete",
    "many-callers": "az monitor metrics",
    "scale-from-zero": "az monitor metrics",
    "partner-away": "az servicebus queue update",
    "down-and-recovered": "az keyvault recover",
    "private-with-machine": "az vm run-command",
}


def only_looked(world: World) -> bool:
    looking = ("az account show", "azd auth login", "az functionapp list", "az postgres")
    return all(call.startswith(looking) for call in world.calls())


@pytest.mark.parametrize("missing", ["az", "azd"])
def test_without_a_program_nothing_is_run_and_one_sentence_says_so(
    missing: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.missing.add(missing)
    assert world.run() == cli.NOTHING_RUN
    said = capsys.readouterr()
    assert said.err == (
        f"Nothing was run in Azure: {missing} is not installed; it takes az and azd, and then: "
        "sign in with `az login` and `azd auth login`.\n"
    )
    assert not said.out


@pytest.mark.parametrize(
    "change",
    [
        {"failing": ["az account show"]},
        {"failing": ["azd auth login"]},
        {"signed_in": "unauthenticated"},
        {"account": {**ACCOUNT, "state": "Disabled"}},
    ],
)
def test_who_is_not_signed_in_is_told_how(
    change: dict[str, object], world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.change(**change)
    assert world.run() == cli.NOTHING_RUN
    assert "`az login` and `azd auth login`" in capsys.readouterr().err
    assert only_looked(world)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--subscription", "another one", "--yes"),
        ("--yes",),  # not even said which
        ("--subscription", SUBSCRIPTION),  # and nobody to ask
    ],
)
def test_a_subscription_that_was_not_confirmed_is_left_alone(
    arguments: tuple[str, ...], world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*USUAL, *arguments], world.edges()) == cli.NOTHING_RUN
    assert "Try outs (11111111-" in capsys.readouterr().err
    assert only_looked(world)


@pytest.mark.parametrize(("typed", "runs"), [("Try outs\n", True), ("y\n", False), ("", False)])
def test_on_a_terminal_its_name_is_to_be_typed(
    typed: str, runs: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: typed.strip())
    ended = cli.main([*USUAL, "--step", "deploy-at-once"], world.edges())
    assert ended == (0 if runs else cli.NOTHING_RUN)


@pytest.mark.parametrize("where", ["nowhere", "eastus"])
def test_a_location_that_refuses_is_named_before_anything_is_made(
    where: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--location", where, "--address", "20.1.2.3/32", *SURE]
    assert cli.main(arguments, world.edges()) == cli.NOTHING_RUN
    assert f"not offered in {where}" in capsys.readouterr().err
    assert only_looked(world)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--location", "swedencentral"),
        ("--location", "Sweden Central", "--address", "20.1.2.3/32"),
        ("--location", "swedencentral", "--address", "192.168.0.1/32"),
        (*USUAL, "--step", "no-such-step"),
        (*USUAL, "--away-minutes", "0"),
        ("--clean", "production"),
    ],
)
def test_a_command_that_makes_no_sense_runs_nothing(
    arguments: tuple[str, ...], world: World
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments, world.edges())
    assert ended.value.code == 2
    assert only_looked(world)


def test_the_list_says_how_long_and_how_much_and_runs_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--list"], world.edges()) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == STEPS
    assert all(" min " in line and " USD " in line for line in listed)
    assert not world.calls()


def test_all_of_it_passes_where_all_is_well(world: World) -> None:
    assert world.run() == 0
    written = world.written()
    assert [(one["step"], one["state"]) for one in written["steps"]] == [
        (step, "passed") for step in STEPS
    ]
    assert written["passed"] is True
    assert world.state()["groups"] == []
    assert [one for one in written["left"] if not one.startswith("vault ")] == []


@pytest.mark.parametrize("step", STEPS)
def test_each_step_can_be_run_alone_and_takes_down_what_it_made(step: str, world: World) -> None:
    assert world.run("--step", step) == 0
    assert [one["step"] for one in world.written()["steps"]] == [step]
    assert world.state()["groups"] == []
    assert any(call.startswith("azd down") for call in world.calls())
    assert any("role definition delete --name role-1" in call for call in world.calls())
    assert not any("role-2" in call for call in world.calls()), "a role of somebody else"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_is_told_and_everything_is_taken_down(
    step: str, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.change(failing=[FAILING[step]])
    assert world.run("--step", step) == 1
    (outcome,) = world.written()["steps"]
    assert outcome["state"] == "failed"
    assert world.written()["passed"] is False
    assert world.state()["groups"] == []
    assert world.state()["partner"] == "Active" or "servicebus" in FAILING[step]
    no_secret(world, capfd)


def test_a_step_that_fails_does_not_keep_the_next_from_running(world: World) -> None:
    world.change(failing=["az keyvault key rotate"])
    assert world.run("--step", "key-rotated", "--step", "many-callers") == 1
    assert [one["state"] for one in world.written()["steps"]] == ["failed", "passed"]


def test_a_step_that_cannot_be_run_is_no_success(world: World) -> None:
    world.change(feature="NotRegistered")
    assert world.run("--step", "private-with-machine") == 1
    (outcome,) = world.written()["steps"]
    assert outcome["state"] == "not run"
    assert "EncryptionAtHost" in outcome["problems"][0]
    assert not any(call.startswith("azd provision") for call in world.calls())


def test_where_azd_fails_to_take_it_down_the_group_is_deleted(world: World) -> None:
    world.change(failing=["azd down"])
    assert world.run("--step", "deploy-at-once") == 0
    assert world.state()["groups"] == []


@pytest.mark.parametrize("failing", ["az group delete", "az role definition delete", "az group"])
def test_what_cannot_be_taken_down_is_named_and_no_success(
    failing: str, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.change(failing=[failing])
    assert world.run("--step", "deploy-at-once") == 1
    said = capfd.readouterr().err
    assert "remains: " in said
    assert world.written()["left"]
    no_secret(world, capfd)


def test_a_deployment_that_still_runs_is_stopped_before_it_is_taken_down(world: World) -> None:
    world.change(running=["somebody-elses"])
    assert world.run("--step", "deploy-at-once") == 0
    assert not any("deployment sub cancel" in call for call in world.calls())
    (name,) = {call.split()[3] for call in world.calls() if call.startswith("azd env new")}
    world.change(running=[f"{name}-1764122643", "somebody-elses"], groups=[name])
    assert cli.main([*SURE, "--clean", name], world.edges()) == 0
    order = [call for call in world.calls() if "cancel" in call or "azd down" in call]
    assert f"cancel --name {name}-1764122643" in order[-2]
    assert order[-1].startswith("azd down")
    assert not any("somebody-elses" in call for call in order)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_takes_down_what_it_made(
    number: signal.Signals, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(callers: int, seconds: float) -> None:
        signal.raise_signal(number)  # handled before it returns, unlike `os.kill`

    monkeypatch.setattr(world, "load", interrupted)
    assert world.run("--step", "many-callers", "--step", "partner-away") == 130
    assert world.state()["groups"] == []
    assert world.written()["passed"] is False
    assert world.written()["steps"] == []


def test_a_second_ctrl_c_does_not_keep_it_from_being_taken_down(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.azure.cleaning import Cleaner

    clean = Cleaner.clean

    def twice(self: Cleaner, *what: list[str]) -> object:
        signal.raise_signal(signal.SIGINT)
        return clean(self, *what)

    monkeypatch.setattr(Cleaner, "clean", twice)
    assert world.run("--step", "deploy-at-once") == 0
    assert "still taking down" in capsys.readouterr().err
    assert world.state()["groups"] == []


def test_no_secret_is_ever_shown_written_or_an_argument(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    assert world.run() == 0
    no_secret(world, capfd)


def no_secret(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    said = capfd.readouterr()
    (file,) = world.results.glob("*.json")
    everything = said.out + said.err + file.read_text() + "".join(world.calls())
    for secret in ("planted", *SECRETS.values()):
        assert secret not in everything


def test_the_order_of_a_first_deployment(world: World) -> None:
    assert world.run("--step", "deploy-at-once") == 0
    order = [
        "azd env new",
        "azd provision",
        "azd deploy --all",
        "az servicebus namespace create",
        "python -m ops secrets",
        "azd down",
        "az role definition delete",
    ]
    found = [next(i for i, call in enumerate(world.calls()) if call.startswith(o)) for o in order]
    assert found == sorted(found)
    assert found[2] - found[1] <= 2, "nothing is waited for between provisioning and deploying"


def test_vaults_are_recovered_into_a_group_that_is_there(world: World) -> None:
    assert world.run("--step", "down-and-recovered") == 0
    calls = world.calls()
    down = next(i for i, call in enumerate(calls) if call.startswith("azd down"))
    after = [call for call in calls[down:] if call.startswith(("az group create", "az keyvault r"))]
    assert after[0].startswith("az group create")
    assert [call.split()[4].split("-")[0] for call in after[1:]] == [
        "payload",
        "partner",
        "database",
    ]
    # azd takes out of its environment what is also an output: it has to be said again.
    assert any(call.startswith("azd env set AZURE_LOCATION") for call in calls[down:])


def test_every_command_of_az_names_the_subscription_that_was_confirmed(world: World) -> None:
    assert world.run("--step", "provision-twice") == 0
    made = [call for call in world.calls() if call.startswith("az ") and "account show" not in call]
    assert made
    assert all(f"--subscription {ACCOUNT['id']}" in call for call in made)

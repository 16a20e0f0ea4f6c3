"""Steps about deployments: the first, the second, and those after something has changed."""

from __future__ import annotations

from tests.azure import readings
from tests.azure.finding import Finding
from tests.azure.programs import CommandFailedError
from tests.azure.stage import Stage
from tests.azure.verdicts import same_key

_VAULTS = ("payload", "partner", "database")


def deploy_at_once(stage: Stage) -> Finding:
    """Provision, deploy without a pause, and send a first message through."""
    start = stage.edges.now()
    # The package is uploaded seconds after the right to read it was made.
    stage.ready()
    return Finding(facts={"seconds to the first message delivered": _since(stage, start)})


def provision_twice(stage: Stage) -> Finding:
    """Provision what is provisioned already: nothing fails, no key changes, messages go on."""
    stage.ready()
    before = stage.key()
    stage.provision()
    problems = same_key(before, stage.key())
    # The password of the database is another one now.
    problems += stage.exchange(5)
    return Finding(problems, {"version of the key": before.version})


def key_rotated(stage: Stage) -> Finding:
    """Rotate the key, provision, open what was sealed before, and disable the old version."""
    stage.ready()
    old = stage.key()
    stage.partner.go_away()
    try:
        waiting = stage.send(5).accepted
        _key(stage, "rotate")
        new = stage.key()
        problems = [] if new.version != old.version else ["the key was not rotated"]
        stage.provision()
        problems += same_key(new, stage.key())
    finally:
        stage.partner.come_back()
    # Those have waited on the queue for retries, sealed with the old version.
    problems += stage.arrival(waiting, patience=3600)
    _key(stage, "set-attributes", "--version", old.version, "--enabled", "false")
    problems += stage.exchange(5)
    return Finding(problems, {"old version": old.version, "new version": new.version})


def prove_both(stage: Stage) -> Finding:
    """Prove who may do what by roles, by access policies, and by roles again."""
    stage.ready()
    problems = []
    facts: dict[str, object] = {}
    try:
        for model in ("rbac", "accessPolicies", "rbac"):
            if stage.settings["RELAY_VAULT_AUTHORIZATION"] != model:
                stage.settings["RELAY_VAULT_AUTHORIZATION"] = model
                stage.provision()
            start = stage.edges.now()
            problems += [f"{model}: {what}" for what in stage.prove()]
            facts[f"seconds until {model} was proven"] = _since(stage, start)
    finally:
        stage.settings["RELAY_VAULT_AUTHORIZATION"] = "rbac"
    return Finding(problems, facts)


def app_made_again(stage: Stage) -> Finding:
    """Delete an app and one of its identities, and deploy again what then has other principals."""
    stage.ready()
    az = stage.programs.az
    az("functionapp", "delete", "--name", f"relay-tracker-{stage.suffix}", *_in(stage))
    az("identity", "delete", "--name", f"tracker_bus-{stage.suffix}", *_in(stage))
    stage.provision()
    stage.deploy("tracker")
    return Finding([*stage.prove(), *stage.exchange(5)])


def down_and_recovered(stage: Stage) -> Finding:
    """Take it down, make the group, recover the vaults, and deploy again with the same key."""
    stage.ready()
    before, suffix, location = stage.key(), stage.suffix, stage.settings["AZURE_LOCATION"]
    stage.down()
    az = stage.programs.az
    gone = readings.deleted_vaults(
        az("keyvault", "list-deleted", "--resource-type", "vault"), suffix
    )
    if len(gone) != len(_VAULTS):
        return Finding([f"{len(gone)} deleted vaults are listed, and not {len(_VAULTS)}"])
    # A vault is recovered into the group that it was in.
    az("group", "create", "--name", stage.name, "--location", location)
    for vault in _VAULTS:
        az(
            *("keyvault", "recover", "--name", f"{vault}-{suffix}", "--location", location),
            *_in(stage),
            minutes=30,
        )
    stage.provision()
    stage.deploy()
    stage.partner.become(stage.values)
    problems = same_key(before, stage.key())
    return Finding([*problems, *stage.prove(), *stage.exchange(5, patience=1800)])


def _key(stage: Stage, command: str, *arguments: str) -> None:
    """Do something with the key, as its officer, as soon as Azure knows that right."""

    def attempt() -> str | None:
        try:
            stage.programs.az(
                *("keyvault", "key", command, "--vault-name", f"payload-{stage.suffix}"),
                *("--name", "payload", *arguments),
            )
        except CommandFailedError as error:
            return str(error)
        return None

    problem = stage.edges.until(attempt, lambda wrong: wrong is None, 900, every=60)
    if problem:
        raise CommandFailedError(problem)


def _in(stage: Stage) -> tuple[str, str]:
    return ("--resource-group", stage.name)


def _since(stage: Stage, start: float) -> int:
    return round(stage.edges.now() - start)

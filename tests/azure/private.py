"""The step about a private network with a machine: a deployment of its own, as it costs more."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.azure.finding import Finding, NotRunError
from tests.azure.programs import CommandFailedError
from tests.azure.stage import Stage

_REGISTERED = "Registered"
_MACHINE = "reader"


def private_with_machine(stage: Stage) -> Finding:
    """Deploy privately with a machine: it reads its secret, we cannot, and the proof holds.

    No message is sent: the ledger's tables are made from inside of the network.
    """
    az = stage.programs.az
    feature = az(
        *("feature", "show", "--namespace", "Microsoft.Compute", "--name", "EncryptionAtHost"),
        *("--query", "properties.state"),
    )
    if feature != _REGISTERED:
        raise NotRunError(
            "the machine wants encryption at host: "
            "az feature register --namespace Microsoft.Compute --name EncryptionAtHost"
        )
    stage.settings["RELAY_MACHINE_PUBLIC_KEY"] = public_key()
    # The deployment itself fails if the machine could not read its secret.
    stage.provision()
    stage.deploy()
    state = az(
        *("vm", "run-command", "show", "--resource-group", stage.name),
        *("--vm-name", f"relay-{_MACHINE}-{stage.suffix}", "--name", "read-secret"),
        *("--instance-view", "--query", "instanceView.executionState"),
    )
    problems = [] if state == "Succeeded" else [f"the machine's script ended with {state}"]
    problems += _read_from_outside(stage)
    return Finding([*problems, *stage.prove()])


def public_key() -> str:
    """Make a key for SSH and return its public half; the private one is kept by nobody."""
    half = Ed25519PrivateKey.generate().public_key()
    return half.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _read_from_outside(stage: Stage) -> list[str]:
    """List a vault's secrets from here: the network has to refuse it before any right counts."""
    try:
        # The names alone: nothing that could answer with a value is tried.
        stage.programs.az(
            *("keyvault", "secret", "list", "--vault-name", f"database-{stage.suffix}"),
            *("--query", "[].name"),
        )
    except CommandFailedError as error:
        text = str(error)
        refused = "ForbiddenByConnection" in text or "Public network access" in text
        return [] if refused else [f"the vault was not refused by its network: {text}"]
    return ["the vault of the database answers from outside of the network"]

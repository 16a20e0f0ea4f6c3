"""The shape of `infra/access.json`: who may do what, as it is declared."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class DeclaredIdentity(TypedDict):
    """A user-assigned identity and what it is for."""

    name: str
    purpose: str


class DeclaredOperator(TypedDict):
    """A role of people and programs outside; each deployment sets who they are."""

    name: str
    purpose: str


class DeclaredTrigger(TypedDict):
    """The queues that start functions of an app, and the identity they are received under."""

    identity: str
    queues: list[str]


class DeclaredApp(TypedDict):
    """A function app, the identities attached to it, and the one its package is stored under."""

    name: str
    identities: list[str]
    package: str
    trigger: NotRequired[DeclaredTrigger]
    status: NotRequired[str]


class DeclaredMachine(TypedDict):
    """A virtual machine, deployed if asked for, and the identities attached to it."""

    name: str
    identities: list[str]
    systemIdentity: bool


class DeclaredVault(TypedDict):
    """A key vault."""

    name: str


class DeclaredKey(TypedDict):
    """A key, and the vault it lives in."""

    name: str
    vault: str


class DeclaredSecret(TypedDict):
    """A secret, the vault it lives in, and whether each deployment writes its value."""

    name: str
    vault: str
    deployed: NotRequired[Literal[True]]


class DeclaredQueue(TypedDict):
    """A queue, and where its messages go without a receiver."""

    name: str
    duplicateDetection: NotRequired[str]
    lockDuration: NotRequired[str]
    maxDeliveryCount: NotRequired[int]
    forwardTo: NotRequired[str]
    forwardDeadLettersTo: NotRequired[str]


class KeyGrant(TypedDict):
    """What an identity may do with a key."""

    identity: str
    vault: str
    key: str
    operations: list[Literal["encrypt", "decrypt"]]


class SecretGrant(TypedDict):
    """A secret that an identity may read."""

    identity: str
    vault: str
    secret: str


class OperatorSecretGrant(TypedDict):
    """What an operator may do with a secret."""

    operator: str
    vault: str
    secret: str
    operations: list[Literal["getSecret", "setSecret", "readMetadata"]]


class OperatorKeyGrant(TypedDict):
    """What an operator may do with a key."""

    operator: str
    vault: str
    key: str
    operations: list[Literal["rotate", "update", "read"]]


class QueueGrant(TypedDict):
    """What an identity, or an operator, may do with a queue."""

    identity: str
    queue: str
    rights: list[Literal["send", "receive"]]


class ScaleGrant(TypedDict):
    """A queue that the scale controller scales by, and the identity that it looks under."""

    identity: str
    queue: str


class PackageGrant(TypedDict):
    """The storage account, named after its app, whose packages an identity may write and read."""

    identity: str
    storage: str


class StorageGrant(TypedDict):
    """The storage account, named after its app, whose blobs an app owns as itself."""

    app: str
    storage: str


class TelemetryGrant(TypedDict):
    """An app that may send telemetry as itself."""

    app: str


class Access(TypedDict):
    """The whole declaration."""

    identities: list[DeclaredIdentity]
    operators: list[DeclaredOperator]
    apps: list[DeclaredApp]
    machines: list[DeclaredMachine]
    vaults: list[DeclaredVault]
    keys: list[DeclaredKey]
    secrets: list[DeclaredSecret]
    queues: list[DeclaredQueue]
    keyGrants: list[KeyGrant]
    secretGrants: list[SecretGrant]
    operatorSecretGrants: list[OperatorSecretGrant]
    operatorKeyGrants: list[OperatorKeyGrant]
    queueGrants: list[QueueGrant]
    scaleGrants: list[ScaleGrant]
    packageGrants: list[PackageGrant]
    storageGrants: list[StorageGrant]
    telemetryGrants: list[TelemetryGrant]

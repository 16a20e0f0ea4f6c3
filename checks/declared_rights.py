"""The rights that the grants of `infra/access.json` amount to, as Azure checks them."""

from __future__ import annotations

from collections.abc import Iterator

from checks.declaration import Access
from checks.rights import Right
from checks.roles import KEY_ACTIONS, OWN_BLOBS, SEE_QUEUES, SEND_TELEMETRY, STORE_PACKAGES


def declared_rights(access: Access) -> frozenset[Right]:
    """Return the declared grants as the rights that Azure checks when they are used."""
    vault, bus = "Microsoft.KeyVault/vaults", "Microsoft.ServiceBus/namespaces/messages"
    return frozenset(
        [
            *(
                Right(
                    grant["identity"],
                    f"{vault}/keys/{operation}/action",
                    f"vaults/{grant['vault']}/keys/{grant['key']}",
                )
                for grant in access["keyGrants"]
                for operation in grant["operations"]
            ),
            *(
                Right(
                    grant["identity"],
                    f"{vault}/secrets/getSecret/action",
                    f"vaults/{grant['vault']}/secrets/{grant['secret']}",
                )
                for grant in access["secretGrants"]
            ),
            *(
                Right(
                    held["operator"],
                    f"{vault}/secrets/{use}/action",
                    f"vaults/{held['vault']}/secrets/{held['secret']}",
                )
                for held in access["operatorSecretGrants"]
                for use in held["operations"]
            ),
            *(
                Right(
                    officer["operator"],
                    f"{vault}/keys/{KEY_ACTIONS[use]}",
                    f"vaults/{officer['vault']}/keys/{officer['key']}",
                )
                for officer in access["operatorKeyGrants"]
                for use in officer["operations"]
            ),
            *(
                Right(
                    grant["identity"], f"{bus}/{right}/action", f"bus/relay/queues/{grant['queue']}"
                )
                for grant in access["queueGrants"]
                for right in grant["rights"]
            ),
            *_host_rights(access),
        ]
    )


def _host_rights(access: Access) -> Iterator[Right]:
    """Yield what the platform needs to run the apps: no message, no key and no secret."""
    for seen in access["scaleGrants"]:
        yield from (Right(seen["identity"], action, "bus/relay") for action in SEE_QUEUES)
    for package in access["packageGrants"]:
        where = packages(package["storage"])
        yield from (Right(package["identity"], action, where) for action in STORE_PACKAGES)
    for storage in access["storageGrants"]:
        who, where = f"apps/{storage['app']}", f"storages/{storage['storage']}"
        yield from (Right(who, action, where) for action in OWN_BLOBS)
    for telemetry in access["telemetryGrants"]:
        who = f"apps/{telemetry['app']}"
        yield from (Right(who, action, "telemetry/relay") for action in SEND_TELEMETRY)


def packages(storage: str) -> str:
    """Name the container that the packages of an app are in."""
    return f"storages/{storage}/blobservices/default/containers/packages"

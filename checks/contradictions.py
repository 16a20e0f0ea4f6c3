"""What a schema cannot check of `infra/access.json`: names and uses that must agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from checks.declaration import Access, DeclaredApp, DeclaredTrigger


def contradictions(access: Access) -> list[str]:
    """Name what a schema cannot: names that are not declared, twice declared, or without use."""
    return [
        *_twice(access),
        *_undeclared(access),
        *_apps(access),
        *_machines(access),
        *_hosts(access),
        *_forwards(access),
        *_vaults(access),
    ]


def _twice(access: Access) -> Iterator[str]:
    families: dict[str, Iterable[str]] = {
        "identity or operator": (
            principal["name"] for principal in (*access["identities"], *access["operators"])
        ),
        "app or machine": (one["name"] for one in (*access["apps"], *access["machines"])),
        "vault": (vault["name"] for vault in access["vaults"]),
        "key": (key["name"] for key in access["keys"]),
        "secret": (secret["name"] for secret in access["secrets"]),
        "queue": (queue["name"] for queue in access["queues"]),
        "grant": _grants(access),
    }
    for family, names in families.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{family} {name} is declared {count} times"


def _grants(access: Access) -> Iterator[str]:
    """Yield each grant; the same one twice would be two role assignments of one name."""
    for key in access["keyGrants"]:
        for operation in key["operations"]:
            yield f"{key['identity']} {operation} {key['vault']}/{key['key']}"
    for secret in access["secretGrants"]:
        yield f"{secret['identity']} get {secret['vault']}/{secret['secret']}"
    yield from (
        f"{given['operator']} {use} {given['vault']}/{given['secret']}"
        for given in access["operatorSecretGrants"]
        for use in given["operations"]
    )
    yield from (
        f"{officer['operator']} {use} {officer['vault']}/{officer['key']}"
        for officer in access["operatorKeyGrants"]
        for use in officer["operations"]
    )
    for queue in access["queueGrants"]:
        for right in queue["rights"]:
            yield f"{queue['identity']} {right} {queue['queue']}"
    for seen in access["scaleGrants"]:
        yield f"{seen['identity']} see {seen['queue']}"
    for package in access["packageGrants"]:
        yield f"{package['identity']} store the packages of {package['storage']}"
    for storage in access["storageGrants"]:
        yield f"app {storage['app']} own the blobs of {storage['storage']}"
    for telemetry in access["telemetryGrants"]:
        yield f"app {telemetry['app']} send telemetry"


def _undeclared(access: Access) -> Iterator[str]:
    vaults = {vault["name"] for vault in access["vaults"]}
    for thing in (*access["keys"], *access["secrets"]):
        if thing["vault"] not in vaults:
            yield f"{thing['name']} lives in vault {thing['vault']}, which is not declared"
    known = {
        *(f"identity {identity['name']}" for identity in access["identities"]),
        *(f"key {key['vault']}/{key['name']}" for key in access["keys"]),
        *(f"secret {secret['vault']}/{secret['name']}" for secret in access["secrets"]),
        *(f"queue {queue['name']}" for queue in access["queues"]),
        *(f"operator {operator['name']}" for operator in access["operators"]),
        *(f"app {app['name']}" for app in access["apps"]),
    }
    for named in _named(access):
        if named not in known:
            yield f"a grant names {named}, which is not declared"


def _named(access: Access) -> Iterator[str]:
    operators = {operator["name"] for operator in access["operators"]}
    for grant in (*access["keyGrants"], *access["secretGrants"]):
        yield f"identity {grant['identity']}"
    for given in access["queueGrants"]:
        kind = "operator" if given["identity"] in operators else "identity"
        yield f"{kind} {given['identity']}"
    for seen in access["scaleGrants"]:
        yield f"identity {seen['identity']}"
        yield f"queue {seen['queue']}"
    for package in access["packageGrants"]:
        yield f"identity {package['identity']}"
        yield f"app {package['storage']}"
    for storage in access["storageGrants"]:
        yield f"app {storage['app']}"
        yield f"app {storage['storage']}"
    yield from (f"app {grant['app']}" for grant in access["telemetryGrants"])
    yield from (f"key {grant['vault']}/{grant['key']}" for grant in access["keyGrants"])
    yield from (f"secret {grant['vault']}/{grant['secret']}" for grant in access["secretGrants"])
    for held in access["operatorSecretGrants"]:
        yield f"operator {held['operator']}"
        yield f"secret {held['vault']}/{held['secret']}"
    for officer in access["operatorKeyGrants"]:
        yield f"operator {officer['operator']}"
        yield f"key {officer['vault']}/{officer['key']}"
    yield from (f"queue {grant['queue']}" for grant in access["queueGrants"])


def _apps(access: Access) -> Iterator[str]:
    identities = {identity["name"] for identity in access["identities"]}
    holders = (*access["apps"], *access["machines"])
    attached = {name for holder in holders for name in holder["identities"]}
    granted = {identity for identity, _ in _uses(access)}
    granted |= {grant["operator"] for grant in access["operatorSecretGrants"]}
    granted |= {grant["operator"] for grant in access["operatorKeyGrants"]}
    receives = {
        (grant["identity"], grant["queue"])
        for grant in access["queueGrants"]
        if "receive" in grant["rights"]
    }
    for name in sorted(attached - identities):
        yield f"an app or a machine has identity {name}, which is not declared"
    for name in sorted(identities - attached):
        yield f"identity {name} is attached to no app or machine"
    for name in sorted(identities - granted):
        yield f"identity {name} may do nothing"
    for name in sorted({operator["name"] for operator in access["operators"]} - granted):
        yield f"operator {name} may do nothing"
    apps = {app["name"] for app in access["apps"]}
    for app in access["apps"]:
        if app.get("status", app["name"]) not in apps:
            yield f"app {app['name']} has its status at {app['status']}, which is not declared"
        if trigger := app.get("trigger"):
            yield from _trigger(app, trigger, receives)


def _trigger(
    app: DeclaredApp, trigger: DeclaredTrigger, receives: set[tuple[str, str]]
) -> Iterator[str]:
    name, identity = app["name"], trigger["identity"]
    if identity not in app["identities"]:
        yield f"app {name} is triggered under {identity}, which it has not"
    for queue in trigger["queues"]:
        if (identity, queue) not in receives:
            yield f"app {name} is triggered by {queue}, which {identity} may not receive"


def _uses(access: Access) -> Iterator[tuple[str, str]]:
    """Yield what each identity is granted, apart from what comes with it for scaling."""
    for grant in (*access["keyGrants"], *access["secretGrants"]):
        yield grant["identity"], "an object in a vault"
    yield from ((grant["identity"], f"queue {grant['queue']}") for grant in access["queueGrants"])
    for package in access["packageGrants"]:
        yield package["identity"], f"the packages of {package['storage']}"


def _machines(access: Access) -> Iterator[str]:
    """Hold each machine to one secret: its script reads one."""
    for machine in access["machines"]:
        readers = [g for g in access["secretGrants"] if g["identity"] in machine["identities"]]
        if len(readers) != 1:
            yield f"machine {machine['name']} may read {len(readers)} secrets instead of one"


def _hosts(access: Access) -> Iterator[str]:
    """Hold each app to what its host needs: without it, the app neither starts nor scales."""
    for app in access["apps"]:
        owned = [g["storage"] for g in access["storageGrants"] if g["app"] == app["name"]]
        if owned != [app["name"]]:
            yield f"app {app['name']} owns the blobs of {owned or 'no account'}, not just its own"
        stored = {use for identity, use in _uses(access) if identity == app["package"]}
        if app["package"] not in app["identities"]:
            yield f"app {app['name']} stores its package under {app['package']}, which it has not"
        if stored != {f"the packages of {app['name']}"}:
            yield (
                f"app {app['name']} stores its package under {app['package']}, which may use "
                f"{' and '.join(sorted(stored)) or 'nothing'}, not just the packages of "
                f"{app['name']}"
            )
    triggers = [
        {"identity": app["trigger"]["identity"], "queue": queue}
        for app in access["apps"]
        if "trigger" in app
        for queue in app["trigger"]["queues"]
    ]
    for grant in access["scaleGrants"]:
        if grant not in triggers:
            yield f"{grant['identity']} sees {grant['queue']}, which triggers no app under it"
    for trigger in triggers:
        if trigger not in access["scaleGrants"]:
            yield f"nobody scales with {trigger['queue']}: {trigger['identity']} may not see it"


def _forwards(access: Access) -> Iterator[str]:
    made: set[str] = set()
    for queue in access["queues"]:
        for target in (queue.get("forwardTo"), queue.get("forwardDeadLettersTo")):
            if target is not None and target not in made:
                yield f"queue {queue['name']} forwards to {target}, which is not declared before it"
        made.add(queue["name"])


def _vaults(access: Access) -> Iterator[str]:
    """Hold each vault to one object: access policies reach all of a vault."""
    held = Counter(thing["vault"] for thing in (*access["keys"], *access["secrets"]))
    for vault in access["vaults"]:
        count = held[vault["name"]]
        if count != 1:
            yield f"vault {vault['name']} holds {count} keys and secrets instead of one"

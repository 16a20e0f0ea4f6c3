"""The vaults of a deployment, served over TLS, with the secrets that a deployment writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from local.deployment.resources import SecretSpec, VaultSpec
from local.key_vault.deployed_secrets import to_write
from local.key_vault.store import VaultStore
from local.key_vault.vault import vault_app
from local.net.loopback import LOOPBACK
from local.net.serving import serve
from local.runtime.context import ServiceContext
from local.runtime.fault_middleware import vault_faults

_FIRST_PORT = 8441


@dataclass(frozen=True)
class RunningVault:
    """A vault that is served at `url`, which ends with a slash."""

    spec: VaultSpec
    store: VaultStore
    url: str


async def start_vaults(
    stack: AsyncExitStack, context: ServiceContext, specs: Sequence[VaultSpec]
) -> Mapping[str, RunningVault]:
    """Serve each vault, with what its subfolder of the cloud's folder holds."""
    folder = context.folder.subfolder("vaults")
    vaults = {}
    for position, spec in enumerate(specs):
        listening = context.ports.bind_for_good(f"vault {spec.name}", _FIRST_PORT + position)
        url = f"https://{LOOPBACK}:{listening.getsockname()[1]}/"
        store = VaultStore(folder / spec.name, spec)
        app = vault_app(spec, store, context.issuer, context.authorization, url, context.audit_log)
        app.middlewares.append(vault_faults(context.faults, spec.name))
        await serve(stack, app, listening, context.tls, round_trip=context.round_trip)
        vaults[spec.name] = RunningVault(spec, store, url)
    return vaults


def urls_by_id(vaults: Mapping[str, RunningVault]) -> dict[str, str]:
    """Return the URLs of vaults by their resource ids."""
    return {vault.spec.resource_id: vault.url for vault in vaults.values()}


def deploy_secrets(
    context: ServiceContext,
    vaults: Mapping[str, RunningVault],
    values: Mapping[str, str],
    rewritten: frozenset[str],
) -> None:
    """Write the secrets that a deployment writes: `values` by name, random ones for all others.

    `rewritten`: ids, in lower case, of the secrets that the deployment makes a new version of.
    """
    for vault in vaults.values():
        for spec in vault.spec.secrets:
            changed = spec.resource_id.lower() in rewritten
            known = values.get(spec.name) or spec.value
            _deploy_secret(context, vault.store, spec, known, changed=changed)


def newest_value(vaults: Mapping[str, RunningVault], secret: str) -> str | None:
    """Return what a secret of that name holds now, None where no vault has one."""
    for vault in vaults.values():
        if secret in vault.store.secret_names():
            return vault.store.secret(secret).value
    return None


def _deploy_secret(
    context: ServiceContext,
    store: VaultStore,
    spec: SecretSpec,
    known: str | None,
    *,
    changed: bool,
) -> None:
    newest = store.newest_secret(spec.name)
    value = to_write(spec, newest, known, changed=changed)
    if value is None:
        return
    store.set_secret(spec.name, value, deployed=True)
    if newest and not newest.deployed and newest.value != value:
        context.on_event(
            f"note: secret {spec.name} was set by hand, and each deployment writes it: it has the "
            "deployment's value again."
        )

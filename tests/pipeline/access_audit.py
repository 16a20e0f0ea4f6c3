"""Proofs of a running cloud's access, made in this process: only what may have changed is asked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from azure.identity.aio import ManagedIdentityCredential

from ops.access_audit import AskedApp, OperatorSession, proof_of
from ops.access_comparison import ProbeResult, Proof, Report
from ops.namespace import NAMESPACE
from shared.access.declaration import Declaration
from shared.settings.environment import bus_settings
from tests.pipeline.allowed import Snapshot
from tests.pipeline.cloud_process import Running
from tests.pipeline.mutations import Mutation, expected


@dataclass
class Prover:
    """Asks the apps of a cloud; what those not asked said last still counts."""

    cloud: Running
    original: Snapshot
    declaration: Declaration = field(default_factory=Declaration.load)
    reports: dict[str, Report] = field(default_factory=dict)
    spoken: list[ProbeResult] = field(default_factory=list)

    async def ask_all(self) -> Proof:
        """Ask every app and every operator."""
        return await self.ask(self.declaration.objects["app"], self.declaration.operators)

    async def ask(self, apps: Iterable[str], operators: Iterable[str]) -> Proof:
        """Ask these apps, and these operators, and compare all with the declaration."""
        asked = [
            AskedApp(app, str(self.cloud.endpoints[app]), self.cloud.keys(app).master)
            for app in apps
        ]
        async with AsyncExitStack() as stack:
            speakers = [await self._speaker(name, stack) for name in operators]
            proof = await proof_of(self.declaration, asked, speakers)
        self.reports |= {report.app: report for report in proof.reports}
        anew = {speaker.name for speaker in speakers}
        self.spoken = [*(one for one in self.spoken if one.where not in anew), *proof.operators]
        silent = {app: why for app, why in proof.silent.items() if app not in self.reports}
        silent |= {one.app: proof.silent[one.app] for one in asked if one.app in proof.silent}
        return Proof(self.declaration, list(self.reports.values()), silent, self.spoken)

    async def _speaker(self, name: str, stack: AsyncExitStack) -> OperatorSession:
        environment = await self.cloud.environment(name)
        variables = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")
        os.environ.update({variable: environment[variable] for variable in variables})
        credential = await stack.enter_async_context(ManagedIdentityCredential())
        for variable in variables:
            del os.environ[variable]
        network = bus_settings(environment).network
        return OperatorSession(name, credential, environment[NAMESPACE], network)

    async def check(self, mutation: Mutation, *, ask_everyone: bool = False) -> list[str]:
        """Play a mutation, and say what the proof does not say as it ought to.

        Unless everyone is asked, those are whom it is about: hundreds are played in this way.
        """
        changed = Snapshot(mutation.document)
        apps = {
            app
            for snapshot in (self.original, changed)
            for who, kind, app, _ in snapshot.allowed()
            if kind == "app" and who in mutation.who
        }
        operators = mutation.who & set(self.declaration.operators)
        if operators:
            apps.add("tracker")  # which knows where things are
        before = dict(self.reports), list(self.spoken)
        await self.cloud.deploy(mutation.document)
        if ask_everyone:
            proof = await self.ask_all()
        else:
            proof = await self.ask(sorted(apps), sorted(operators))
        assert not proof.silent, "an answer from before would hide what is wrong now"
        self.reports, self.spoken = before
        found = {
            (line.verdict, *(line.grant.identity, line.grant.kind), *rest)
            for line in proof.differences()
            for rest in [(line.grant.object, line.grant.operation)]
        }
        wanted = expected(self.original, mutation)
        return [f"{mutation.name}: {one}" for one in sorted(found ^ wanted, key=str)]

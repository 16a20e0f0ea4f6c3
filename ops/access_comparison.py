"""What running apps may do against what is declared: the comparison, without any asking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from shared.access.declaration import (
    OPERATIONS,
    Declaration,
    Grant,
    Kind,
    Outcome,
    Verdict,
    owner,
    verdict,
)
from shared.azure.key_vault_id import KeyVaultId
from shared.settings.inventory import Inventory

# What the local cloud calls by its name in the interface of Key Vault.
_CALLED = {("key", "versions"): "get", ("secret", "versions"): "list"}
SILENT = "did not answer"
"""Why nothing is known of an identity whose apps are silent ends so."""
_GRAVEST_FIRST: tuple[Verdict, ...] = ("wider", "narrower", "could not tell", "as declared")


class NoAnswerError(Exception):
    """An app did not report its access; the text says why."""


@dataclass(frozen=True)
class ProbeResult:
    """What came of one try; `where` is the app it was made in, or the name of an operator."""

    grant: Grant
    where: str
    actual: Outcome
    detail: str


@dataclass(frozen=True)
class Report:
    """All that one app reported; `digest` is that of the declaration it was deployed with."""

    app: str
    results: tuple[ProbeResult, ...]
    digest: str | None
    objects: Inventory

    @classmethod
    def from_json(cls, app: str, body: object) -> Report:
        """Read the answer of the function `access`. Raises `NoAnswerError`."""
        try:
            answer = cast("Mapping[str, Any]", body)
            if answer["app"] != app:
                raise NoAnswerError(f"says that it is {answer['app']!r:.60}")
            digest = answer["declaration"]
            results = tuple(_result(app, one) for one in answer["findings"])
            objects = _objects(answer["objects"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise NoAnswerError("does not answer as the function access does") from None
        return cls(app, results, digest if isinstance(digest, str) else None, objects)


def _objects(listed: Mapping[str, Any]) -> Inventory:
    return Inventory(
        {},
        tuple(KeyVaultId.parse(url, "keys") for url in listed["keys"]),
        tuple(KeyVaultId.parse(url, "secrets") for url in listed["secrets"]),
        tuple(str(queue) for queue in listed["queues"]),
    )


def _result(app: str, found: Mapping[str, Any]) -> ProbeResult:
    kind, operation, actual = found["kind"], found["operation"], found["actual"]
    if operation not in OPERATIONS[kind] or actual not in get_args(Outcome):
        raise ValueError("no such operation or outcome")
    grant = Grant(str(found["identity"]), kind, str(found["object"]), operation)
    if kind == "app" and grant.object != app:
        raise ValueError("it reports for another app")
    return ProbeResult(grant, app, actual, str(found["detail"])[:100])


@dataclass(frozen=True)
class Line:
    """One grant, declared or not: what happens, and how that relates to the declaration."""

    grant: Grant
    declared: bool
    actual: Outcome
    verdict: Verdict
    where: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class Proof:
    """The whole comparison. `silent` are the apps that did not report, each with the reason."""

    declaration: Declaration
    reports: Sequence[Report]
    silent: Mapping[str, str] = field(default_factory=dict)
    operators: Sequence[ProbeResult] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """Identities of which something is known or ought to be, in the order of access.json."""
        probed = {one.grant.identity for one in self._results()}
        attached = {grant.identity for grant in self.declaration.grants if grant.kind == "app"}
        named = (*self.declaration.identities, *self.declaration.operators)
        known = [name for name in named if name in probed | attached]
        return (*known, *sorted(probed - set(known)))

    @property
    def not_asked(self) -> tuple[str, ...]:
        """Operators that were not probed: they are outside of every app."""
        return tuple(name for name in self.declaration.operators if name not in self.rows)

    @property
    def of_another(self) -> tuple[str, ...]:
        """Apps that were deployed with another declaration than the one held against them."""
        digest = self.declaration.digest
        return tuple(one.app for one in self.reports if one.digest not in (None, digest))

    def lines(self) -> list[Line]:
        """Judge all that was tried or should have been."""
        results: dict[Grant, list[ProbeResult]] = {grant: [] for grant in self._expected()}
        for one in self._results():
            results.setdefault(one.grant, []).append(one)
        return [self._line(grant, ones) for grant, ones in results.items()]

    def differences(self) -> list[Line]:
        """Give what is not as declared, or not known to be."""
        wrong = [line for line in self.lines() if line.verdict != "as declared"]
        return sorted(wrong, key=lambda line: (_GRAVEST_FIRST.index(line.verdict), line.grant))

    def _results(self) -> Iterator[ProbeResult]:
        for report in self.reports:
            yield from report.results
        yield from self.operators

    def _expected(self) -> Iterator[Grant]:
        """Give all there is to know of the rows: a token in each app, and each try.

        Of an identity that is attached to no app and shows up in none there is nothing to try.
        """
        for name in self.rows:
            if name not in self.declaration.operators:
                yield from (
                    Grant(name, "app", app, "token")
                    for app in self.declaration.objects["app"]
                    if owner(name) in (None, app)
                )
            if name in self.declaration.operators or self._has_a_place(name):
                yield from self.declaration.on_objects(name)

    def _has_a_place(self, name: str) -> bool:
        tokens = {grant for grant in self.declaration.grants if grant.kind == "app"}
        return any(grant.identity == name for grant in tokens) or any(
            one.grant.identity == name and one.actual == "allowed" for one in self._results()
        )

    def _line(self, grant: Grant, results: Sequence[ProbeResult]) -> Line:
        declared = grant in self.declaration.grants
        # Of an identity in two apps it is enough that one of them could tell.
        ones = [one for one in results if one.actual != "could not tell"] or list(results)
        if not ones:
            return Line(grant, declared, "could not tell", "could not tell", (), self._why(grant))
        judged = {one: verdict(one.actual, declared=declared) for one in ones}
        worst = min(ones, key=lambda one: _GRAVEST_FIRST.index(judged[one]))
        where = tuple(one.where for one in ones if judged[one] == judged[worst])
        return Line(grant, declared, worst.actual, judged[worst], where, worst.detail)

    def _why(self, grant: Grant) -> str:
        homes = {
            one.object
            for one in self.declaration.grants
            if one.identity == grant.identity and one.kind == "app"
        }
        silent = sorted(({grant.object} if grant.kind == "app" else homes) & set(self.silent))
        if silent:
            return f"{', '.join(silent)} {SILENT}"
        return "was not tried" if grant.kind == "app" else "no token to try it with"


@dataclass(frozen=True)
class GrantUse:
    """That a grant was exercised by the running pipeline, and by which apps or operators."""

    grant: Grant
    by: frozenset[str]

    @classmethod
    def from_json(cls, listed: object) -> list[GrantUse]:
        """Read what the local cloud records of used grants. Raises `NoAnswerError`."""
        try:
            return [cls._of(one) for one in cast("list[Mapping[str, Any]]", listed)]
        except (KeyError, TypeError, ValueError):
            raise NoAnswerError("the local cloud does not report which grants are used") from None

    @classmethod
    def _of(cls, one: Mapping[str, Any]) -> GrantUse:
        kind = cast("Kind", one["kind"])
        operation = _CALLED.get((kind, one["operation"]), str(one["operation"]))
        grant = Grant(str(one["identity"]), kind, str(one["object"]), operation)
        return cls(grant, frozenset(one["apps"]))


def unused(declaration: Declaration, uses: Iterable[GrantUse]) -> list[Grant]:
    """Give the declared grants that nobody exercised, attachments to apps among them.

    An app's own identity and that of its package are the platform's to use, and may do nothing
    here, so that they have nothing to exercise; and of one that is attached to no app nobody is
    there to do it.
    """
    used = {(use.grant, by) for use in uses for by in use.by}
    grants = {grant for grant, _ in used}
    by_app = {(grant.identity, by) for grant, by in used}
    homes = {one.identity for one in declaration.grants if one.kind == "app"}
    return [
        grant
        for grant in sorted(declaration.grants | declaration.unprobed)
        if owner(grant.identity) is None
        and grant.identity not in declaration.packages
        and grant.identity in homes | set(declaration.operators)
        and (
            (grant.identity, grant.object) not in by_app
            if grant.kind == "app"
            else grant not in grants
        )
    ]

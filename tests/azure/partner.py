"""The partner: a queue in a namespace of its own, which the script can send away and call back.

It is the kind `servicebus` of partner and no web server, so that no endpoint of ours has to be
public. A queue that is `SendDisabled` refuses the receiver's link, which the receiver takes for a
partner that is away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.azure.edges import CountsArrivals, Edges
from tests.azure.programs import CommandFailedError, Programs

TAG = "sealed-relay-azure-test"
_QUEUE = "inbox"
_PATIENCE = "900"  # seconds: what Azure says a new right may take, and some more


class Partner:
    """Belongs to the run `name`, in a resource group of its own."""

    def __init__(self, name: str, location: str, programs: Programs, edges: Edges) -> None:
        self.group = f"{name}-partner"
        self._namespace = f"{name}-partner"
        self._run = name
        self._location = location
        self._programs = programs
        self._edges = edges
        self._inbox: CountsArrivals | None = None

    def make(self) -> None:
        """Make the namespace and its queue, with one rule to send and one to listen."""
        az = self._programs.az
        az(
            *("group", "create", "--name", self.group, "--location", self._location),
            *("--tags", f"{TAG}={self._run}"),
        )
        az(
            *("servicebus", "namespace", "create", "--name", self._namespace),
            *("--resource-group", self.group, "--location", self._location),
            *("--sku", "Basic", "--tags", f"{TAG}={self._run}"),
            minutes=20,
        )
        az("servicebus", "queue", "create", "--name", _QUEUE, *self._there())
        for right in ("Send", "Listen"):
            az(
                *("servicebus", "queue", "authorization-rule", "create", "--name", right.lower()),
                *("--rights", right, "--queue-name", _QUEUE, *self._there()),
            )

    def become(self, environ: Mapping[str, str]) -> None:
        """Set the partner's secret of a deployment; the document goes in by standard input."""
        document = {
            "kind": "servicebus",
            "connection_string": self._key("send"),
            "queue": _QUEUE,
        }
        self._programs.ops(
            *("secrets", "--replace", "--patience", _PATIENCE),
            environ=environ,
            given=json.dumps(document),
        )

    def go_away(self) -> None:
        """Take nothing from now on."""
        self._status("SendDisabled")

    def come_back(self) -> None:
        """Take messages again."""
        self._status("Active")

    def arrived(self) -> Mapping[str, int]:
        """Return all ids that ever arrived, and how often each did."""
        if self._inbox is None:
            self._inbox = self._edges.inbox(self._key("listen"), _QUEUE)
        return self._inbox.arrived()

    def _status(self, status: str) -> None:
        self._programs.az(
            *("servicebus", "queue", "update", "--name", _QUEUE, "--status", status),
            *self._there(),
        )

    def _key(self, rule: str) -> str:
        found = self._programs.az(
            *("servicebus", "queue", "authorization-rule", "keys", "list", "--name", rule),
            *("--queue-name", _QUEUE, *self._there()),
        )
        string = found.get("primaryConnectionString") if isinstance(found, dict) else None
        if not isinstance(string, str):
            raise CommandFailedError(f"the partner's rule {rule} has no connection string")
        return self._programs.redactor.learn(string)

    def _there(self) -> tuple[str, ...]:
        return ("--namespace-name", self._namespace, "--resource-group", self.group)

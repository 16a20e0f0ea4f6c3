"""One deployment that steps work on: made at the first need of it, and known by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.azure import readings
from tests.azure.edges import Edges, SendsMessages
from tests.azure.partner import Partner
from tests.azure.programs import CommandFailedError, Programs
from tests.azure.verdicts import Answers, delivered

_APPS = ("sender", "receiver", "tracker")
_HOUR = 60.0
_RIGHTS = 1800.0  # seconds: ten minutes is what Azure says of a role, a day of a group's
_DELIVERY = 900.0
_VAULTS_API = "2026-02-01"


class Stage:
    """The deployment `name`, which is its azd environment and its resource group.

    `settings` are values of the azd environment; they are set before each provisioning, because
    `azd down` takes those away that are also outputs.
    """

    def __init__(
        self,
        name: str,
        subscription: str,
        settings: Mapping[str, str],
        programs: Programs,
        edges: Edges,
        partner: Partner,
        report: Callable[[str], None],
    ) -> None:
        self.name = name
        self.subscription = subscription
        self.settings = dict(settings)
        self.programs = programs
        self.edges = edges
        self.partner = partner
        self.report = report
        self.exists = False  # whether anything of it may be there, and has to be taken down
        self._ready = False
        self._values: Mapping[str, str] = {}

    @property
    def group_id(self) -> str:
        """The resource id of its group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.name}"

    def provision(self) -> None:
        """Deploy the infrastructure, whether or not azd thinks that anything has changed."""
        if not self.exists:
            # Before anything is made: from here on it is taken down, whatever happens.
            self.exists = True
            self.programs.azd(
                *("env", "new", self.name, "--subscription", self.subscription),
                *("--location", self.settings["AZURE_LOCATION"]),
            )
        for name, value in self.settings.items():
            self.programs.azd("env", "set", name, value, "-e", self.name)
        self.report(f"provisioning {self.name} ...")
        self.programs.azd("provision", "-e", self.name, "--no-state", minutes=2 * _HOUR)
        self._values = readings.values(self.programs.azd_json("env", "get-values", "-e", self.name))

    def deploy(self, *apps: str) -> None:
        """Deploy these apps, or all of them."""
        for app in apps or ("--all",):
            self.programs.azd("deploy", app, "-e", self.name, minutes=_HOUR)

    def ready(self) -> None:
        """See to it that it is deployed and takes messages to the partner."""
        if self._ready:
            return
        self.provision()
        self.deploy()
        self.connect()

    def connect(self) -> None:
        """Give it the partner, and wait until a first message has gone all of its path."""
        self.partner.make()
        self.partner.become(self.values)
        problems = self.exchange(1, patience=_RIGHTS)
        if problems:
            raise CommandFailedError("; ".join(problems))
        self._ready = True

    @property
    def values(self) -> Mapping[str, str]:
        """What azd knows of it."""
        return self._values

    @property
    def suffix(self) -> str:
        """What ends the name of everything in it."""
        return readings.suffix_of(self._values)

    def key(self) -> readings.Key:
        """The payload key, as Resource Manager shows it, which takes no right on the vault."""
        url = (
            f"{self.group_id}/providers/Microsoft.KeyVault/vaults/payload-{self.suffix}"
            f"/keys/payload?api-version={_VAULTS_API}"
        )
        return readings.Key.from_json(self.programs.az("rest", "--method", "get", "--url", url))

    def send(self, count: int) -> Answers:
        """Send so many messages."""
        return self._callers().send(count)

    def load(self, callers: int, seconds: float) -> Answers:
        """Let so many callers send for so long."""
        return self._callers().load(callers, seconds)

    def exchange(self, count: int, *, patience: float = _DELIVERY) -> list[str]:
        """Send messages until that many are accepted, and wait for them; return what is wrong."""
        accepted: list[str] = []

        def more() -> list[str]:
            if len(accepted) < count:
                accepted.extend(self.send(count - len(accepted)).accepted)
            return accepted

        self.edges.until(more, lambda ids: len(ids) >= count, patience)
        if len(accepted) < count:
            return [f"only {len(accepted)} of {count} messages were accepted"]
        return self.arrival(accepted)

    def arrival(self, ids: Sequence[str], *, patience: float = _DELIVERY) -> list[str]:
        """Wait until all of them are at the partner; return what is wrong."""
        return self.edges.until(
            lambda: delivered(ids, self.partner.arrived()), lambda wrong: not wrong, patience
        )

    def prove(self) -> list[str]:
        """Hold every identity to access.json, as soon as Azure knows its rights."""
        keys = {f"RELAY_MASTER_KEY_{app.upper()}": self._app_key(app, "masterKey") for app in _APPS}

        def proof() -> list[str]:
            shown = self.programs.ops(
                "prove", "--json", environ={**self.values, **keys}, may_fail=True
            )
            return readings.unproven(readings.parsed(shown))

        return self.edges.until(proof, lambda wrong: not wrong, _RIGHTS, every=60)

    def measured(
        self, resource: str, name: str, aggregation: str, hours: int
    ) -> list[float | None]:
        """Return what Azure Monitor measured of a resource, minute by minute."""
        shown = self.programs.az(
            *("monitor", "metrics", "list", "--resource", resource, "--metrics", name),
            *("--aggregation", aggregation, "--interval", "1m", "--offset", f"{hours}h"),
        )
        return readings.metric(shown, aggregation)

    def site(self, app: str) -> str:
        """The resource id of an app."""
        return f"{self.group_id}/providers/Microsoft.Web/sites/relay-{app}-{self.suffix}"

    def down(self) -> None:
        """Take it down as a user does."""
        self.programs.azd("down", "-e", self.name, "--force", minutes=2 * _HOUR)

    def _callers(self) -> SendsMessages:
        return self.edges.callers(
            self.values["SENDER_URL"], self._app_key("sender", "functionKeys.default")
        )

    def _app_key(self, app: str, which: str) -> str:
        found = self.programs.az(
            *("functionapp", "keys", "list", "--name", f"relay-{app}-{self.suffix}"),
            *("--resource-group", self.name, "--query", which),
        )
        if not isinstance(found, str):
            raise CommandFailedError(f"the app {app} has no key {which}")
        return self.programs.redactor.learn(found)

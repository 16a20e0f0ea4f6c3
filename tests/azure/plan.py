"""The steps, in the order in which they need the least deploying; each can be run alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from tests.azure import private, redeploying, traffic
from tests.azure.finding import Finding
from tests.azure.stage import Stage

# Of docs/deploying.md, "What it costs": the prices of a month there, divided by its 730 hours.
_PUBLIC_HOUR = 26 / 730
_PRIVATE_HOUR = (754 + 20) / 730  # a small machine beside it
_DEPLOYING = 30  # minutes for a deployment and its first message


@dataclass(frozen=True)
class Step:
    """What is tried, for how long at most as a rule, and on which of the two deployments."""

    name: str
    does: str
    minutes: int
    on: Literal["public", "private"]
    run: Callable[[Stage], Finding]

    @property
    def dollars(self) -> float:
        """List price of what is deployed meanwhile, if the step is run alone."""
        hour = _PUBLIC_HOUR if self.on == "public" else _PRIVATE_HOUR
        return hour * (self.minutes + _DEPLOYING) / 60


def steps(away_minutes: float) -> tuple[Step, ...]:
    """Return all steps. The partner is away for `away_minutes`, and the wait after is longer."""
    wait = round(away_minutes * 3 + 20)
    return (
        Step(
            "deploy-at-once",
            "provision, deploy without a pause, and send a first message through",
            40,
            "public",
            redeploying.deploy_at_once,
        ),
        Step(
            "provision-twice",
            "provision again: nothing fails, the key stays, messages go on",
            20,
            "public",
            redeploying.provision_twice,
        ),
        Step(
            "key-rotated",
            "rotate the key, provision, open what was sealed before, disable the old version",
            70,
            "public",
            redeploying.key_rotated,
        ),
        Step(
            "prove-both",
            "prove who may do what by roles, by access policies, and by roles again",
            70,
            "public",
            redeploying.prove_both,
        ),
        Step(
            "app-made-again",
            "delete an app and one of its identities, and deploy again",
            40,
            "public",
            redeploying.app_made_again,
        ),
        Step(
            "many-callers",
            "let 500 callers send for two minutes: the database holds, nothing is lost",
            25,
            "public",
            traffic.many_callers,
        ),
        Step(
            "scale-from-zero",
            "leave the receiver alone until it has no instance, and send",
            60,
            "public",
            traffic.scale_from_zero,
        ),
        Step(
            "partner-away",
            f"send while the partner is away for {away_minutes:g} minutes, and wait for all of it",
            wait,
            "public",
            partial(traffic.partner_away, minutes=away_minutes),
        ),
        Step(
            "down-and-recovered",
            "take it down, recover the vaults, and deploy again with the same key",
            75,
            "public",
            redeploying.down_and_recovered,
        ),
        Step(
            "private-with-machine",
            "deploy privately with a machine, which reads its secret where nobody outside can",
            90,
            "private",
            private.private_with_machine,
        ),
    )

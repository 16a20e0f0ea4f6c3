"""Who is signed in, and to which subscription: decided before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.azure.programs import CommandFailedError, MissingProgramError, Programs

_SIGN_IN = "sign in with `az login` and `azd auth login`"


class NothingRunError(Exception):
    """Nothing was made and nothing was run; the text says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The subscription that `az` works in, and who is signed in there."""

    subscription: str
    name: str
    user: str

    @classmethod
    def from_json(cls, shown: object) -> Account:
        """Read what `az account show` says. Raises `NothingRunError`."""
        found = shown if isinstance(shown, dict) else {}
        user = found.get("user")
        who = user.get("name") if isinstance(user, dict) else None
        if not isinstance(found.get("id"), str) or found.get("state") != "Enabled":
            raise NothingRunError(f"az names no enabled subscription; {_SIGN_IN}")
        return cls(str(found["id"]), str(found.get("name", "")), str(who or "unknown"))


def account(programs: Programs) -> Account:
    """Return the account that both programs are signed in with. Raises `NothingRunError`."""
    try:
        shown = programs.az("account", "show", minutes=2)
        status = programs.azd_json("auth", "login", "--check-status")
    except MissingProgramError as error:
        raise NothingRunError(f"{error}; it takes az and azd, and then: {_SIGN_IN}") from None
    except CommandFailedError:
        # What they say is long; that one of them is not signed in is what matters.
        raise NothingRunError(f"az or azd is not signed in; {_SIGN_IN}") from None
    if not is_signed_in(status):
        raise NothingRunError(f"azd is not signed in; {_SIGN_IN}")
    return Account.from_json(shown)


def is_signed_in(status: object) -> bool:
    """Read what `azd auth login --check-status` says (azd's `contracts.LoginResult`)."""
    return isinstance(status, dict) and status.get("status") == "success"


def confirm(
    found: Account,
    wanted: str | None,
    *,
    sure: bool,
    ask: Callable[[str], str] | None,
) -> None:
    """Return if this is the subscription that is meant. Raises `NothingRunError`.

    `wanted` is its id or name, where it was given; `ask` is None without a terminal. `sure` alone
    is not enough: whoever does not look must at least have said which.
    """
    which = f"subscription {found.name} ({found.subscription}), as {found.user}"
    if wanted and wanted.lower() not in (found.subscription.lower(), found.name.lower()):
        raise NothingRunError(
            f"az works in {which}, and not in {wanted}; `az account set --subscription {wanted}`"
        )
    if sure and wanted:
        return
    if ask is None:
        raise NothingRunError(
            f"it would run in {which}; no terminal to ask on: --yes --subscription ID"
        )
    answer = ask(f"This makes resources that cost money in {which}.\nType its name to go on: ")
    # The name, not a letter: whoever types it has read which one it is.
    if answer.strip() not in (found.name, found.subscription):
        raise NothingRunError("that is not its name")

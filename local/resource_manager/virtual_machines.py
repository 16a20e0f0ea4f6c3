"""What Compute refuses of virtual machines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.template import Template, is_expression, items, member

MACHINE = "Microsoft.Compute/virtualMachines"

_FAQ = "learn.microsoft.com, Frequently asked questions about Linux virtual machines"
# Only those in the documents of Linux machines.
_RESERVED = frozenset(
    {
        *("1", "123", "a", "actuser", "adm", "admin", "admin1", "admin2", "administrator"),
        *("aspnet", "backup", "console", "david", "guest", "john", "owner", "root", "server"),
        *("sql", "support", "support_388945a0", "sys", "test", "test1", "test2", "test3"),
        *("user", "user1", "user2", "user3", "user4", "user5", "video"),
    }
)


def _administrator(template: Template) -> Iterator[Violation]:
    for machine in template.of(MACHINE):
        name = machine.known("osProfile.adminUsername")
        if isinstance(name, str) and (name.lower() in _RESERVED or not 1 <= len(name) <= 64):
            yield Violation(machine, "osProfile.adminUsername", "is a name that Azure reserves")


def _host_name(template: Template) -> Iterator[Violation]:
    for machine in template.of(MACHINE):
        name = machine.known("osProfile.computerName")
        if isinstance(name, str) and not re.fullmatch(
            r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,62}[A-Za-z0-9])?", name
        ):
            what = "must be 1 to 64 letters, digits, hyphens and full stops"
            yield Violation(machine, "osProfile.computerName", what)


def _sign_in(template: Template) -> Iterator[Violation]:
    for machine in template.of(MACHINE):
        linux = machine.at("osProfile.linuxConfiguration")
        if linux is None:
            continue
        keys = items(member(member(linux, "ssh"), "publicKeys"))
        if member(linux, "disablePasswordAuthentication") is True and not keys:
            yield Violation(
                machine, "osProfile.linuxConfiguration.ssh", "leaves no means to sign in"
            )
        for position, key in enumerate(keys):
            data = member(key, "keyData")
            if not is_expression(data) and not str(data).startswith(("ssh-rsa ", "ssh-ed25519 ")):
                path = f"osProfile.linuxConfiguration.ssh.publicKeys[{position}].keyData"
                yield Violation(machine, path, "must be an RSA or Ed25519 public key")


RULES: tuple[Rule[Template], ...] = (
    Rule("InvalidParameter", _FAQ, _administrator),
    Rule("InvalidParameter", _FAQ, _host_name),
    Rule("InvalidParameter", f"{_FAQ}; Azure SSH keys", _sign_in),
)

"""The keys that the partner and Relay share, kept so that a secret set by hand stays valid."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from local.net.folder import Folder
from local.partner.inbox import new_key
from local.partner.signatures import SigningSecret

_FILE = "partner.json"


@dataclass(frozen=True)
class PartnerKeys:
    """The secret that webhooks are signed with, and the shared key of the partner's queue."""

    signing: SigningSecret
    queue: str = field(repr=False)

    @classmethod
    def kept_in(cls, folder: Folder) -> PartnerKeys:
        """Read them from a folder, or make them there; only this user can read the file."""
        try:
            kept = json.loads((folder.path / _FILE).read_bytes())
            return cls(SigningSecret.parse(kept["signing"]), str(kept["queue"]))
        except FileNotFoundError:
            made = cls(SigningSecret.generate(), new_key())
        content = json.dumps({"signing": made.signing.text, "queue": made.queue})
        folder.write_private(_FILE, content)
        return made

from __future__ import annotations

import stat
from pathlib import Path

from local.net.folder import lock
from local.partner.inbox import PartnerInbox
from local.partner.keys import PartnerKeys
from local.partner.webhook import PartnerWebhook


def test_they_are_the_same_after_a_restart_and_for_this_user_alone(tmp_path: Path) -> None:
    with lock(tmp_path / "cloud") as folder:
        made = PartnerKeys.kept_in(folder)
        assert stat.S_IMODE((folder.path / "partner.json").stat().st_mode) == 0o600
    with lock(tmp_path / "cloud") as folder:
        assert PartnerKeys.kept_in(folder) == made


def test_another_folder_has_others(tmp_path: Path) -> None:
    with lock(tmp_path / "one") as one, lock(tmp_path / "two") as two:
        assert PartnerKeys.kept_in(one) != PartnerKeys.kept_in(two)


def test_they_are_what_the_partner_has(tmp_path: Path) -> None:
    with lock(tmp_path / "cloud") as folder:
        keys = PartnerKeys.kept_in(folder)
    assert PartnerWebhook(secret=keys.signing).secrets == [keys.signing]
    assert f"SharedAccessKey={keys.queue};" in PartnerInbox(key=keys.queue).secret("sb://x")
    assert PartnerInbox().secret("sb://x") != PartnerInbox().secret("sb://x")


def test_no_key_is_shown(tmp_path: Path) -> None:
    with lock(tmp_path / "cloud") as folder:
        keys = PartnerKeys.kept_in(folder)
    assert keys.queue not in repr(keys)
    assert keys.signing.text not in repr(keys)

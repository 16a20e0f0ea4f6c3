from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.net.folder import Folder, lock
from local.net.loopback import listen, listen_anywhere
from local.runtime.ports import Ports, PortsError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with lock(tmp_path / "cloud") as held:
        yield held


def bound(ports: Ports, name: str, usual: int = 0) -> int:
    with ports.bind(name, usual) as listening:
        return int(listening.getsockname()[1])


def test_a_port_is_found_again(folder: Folder) -> None:
    first = bound(Ports(folder), "vault")
    assert bound(Ports(folder), "vault", usual=1) == first
    assert (folder.path / "ports.json").stat().st_mode & 0o777 == 0o600


def test_a_port_that_is_taken_gives_way_to_a_free_one(folder: Folder) -> None:
    with Ports(folder).bind("vault", 0) as listening:
        taken = listening.getsockname()[1]
        ports = Ports(folder)
        other = bound(ports, "vault")
        assert other != taken
        assert bound(ports, "second", usual=taken) != taken
    assert bound(Ports(folder), "vault") == taken


def test_names_have_ports_of_their_own(folder: Folder) -> None:
    ports = Ports(folder)
    with ports.bind("a", 0) as a, ports.bind("b", 0) as b:
        assert a.getsockname() != b.getsockname()
    assert ports.of("c", 7) == 7
    ports.keep("c", 4711)
    assert [Ports(folder).of(name, 0) for name in "abc"] == [ports.of(name, 1) for name in "abc"]


@pytest.mark.parametrize(
    "content",
    ["", "no json", "[]", '{"vault": "x"}', '{"a": 0}', '{"b": true}', '{"c": 65536}', "\xff"],
)
def test_a_damaged_file_is_refused_since_vaults_would_move(folder: Folder, content: str) -> None:
    (folder.path / "ports.json").write_text(content, encoding="latin-1")
    with pytest.raises(PortsError, match=r"ports\.json is damaged.*Correct it"):
        Ports(folder)
    assert (folder.path / "ports.json").read_text(encoding="latin-1") == content


def test_what_is_named_by_its_address_does_not_move(folder: Folder) -> None:
    with Ports(folder).bind_for_good("vault payload", 0) as listening:
        taken = listening.getsockname()[1]
        with pytest.raises(PortsError, match=rf"port {taken} of vault payload is not free"):
            Ports(folder).bind_for_good("vault payload", 0)
    with Ports(folder).bind_for_good("vault payload", 0) as listening:
        assert listening.getsockname()[1] == taken


def test_a_new_name_leaves_the_port_of_another_to_it(folder: Folder) -> None:
    """Vaults have usual ports by their order, which a vault more in their middle changes."""
    with Ports(folder).bind_for_good("vault last", 0) as listening:
        kept = listening.getsockname()[1]
    ports = Ports(folder)
    with (
        ports.bind_for_good("vault more", kept) as more,
        ports.bind("identity", kept) as identity,
        ports.bind_for_good("vault last", 0) as last,
    ):
        assert last.getsockname()[1] == kept
        assert kept not in (more.getsockname()[1], identity.getsockname()[1])


def test_a_port_is_reserved_for_one_who_listens_later(folder: Folder) -> None:
    with Ports(folder).reserve("app", 0) as kept:
        port = kept.getsockname()[1]
        with Ports(folder).bind("app", 0) as other:
            assert other.getsockname()[1] != port
        with listen(port, reserved=True):
            pass
        with Ports(folder).reserve("app", 0) as another:
            assert another.getsockname()[1] != port
    with Ports(folder).reserve("app", 0) as kept:
        assert kept.getsockname()[1] == port


def test_the_usual_ports_are_left_to_others(folder: Folder) -> None:
    with listen_anywhere() as free:
        usual = free.getsockname()[1]
    first = bound(Ports(folder, free_at_first=True), "vault", usual)
    assert first != usual
    assert bound(Ports(folder, free_at_first=True), "vault", usual) == first
    assert bound(Ports(folder), "vault", usual) == first

from __future__ import annotations

import os
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from local.net.folder import (
    ROOT,
    FolderInUseError,
    NotUpError,
    endpoints,
    lock,
    shell_command,
)

HOLDER = (
    "import sys, time; from pathlib import Path; from local.net.folder import lock\n"
    "with lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)


def test_the_folder_and_what_is_in_it_are_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "cloud"
    path.mkdir(parents=True, mode=0o755)
    with lock(path) as folder:
        written = folder.write_private("secret", "planted")
        inner = folder.subfolder("logs")
        ca, _ = folder.certify()
    assert path.stat().st_mode & 0o777 == 0o700
    assert inner.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (written, ca, path / "lock")} == {0o600}


def test_a_second_holder_is_refused_by_the_first_ones_process(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(FolderInUseError, match=str(os.getpid())), lock(tmp_path):
        pass


def test_the_folder_is_free_again_after_a_normal_end(tmp_path: Path) -> None:
    for _ in range(2):
        with lock(tmp_path):
            pass


def test_the_lock_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder, holder.stdout:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FolderInUseError, match=str(holder.pid)), lock(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with lock(tmp_path):
        pass


def test_endpoints_are_there_only_while_it_is_up(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text('{"sender": "stale"}')
    with lock(tmp_path) as folder:
        with pytest.raises(NotUpError, match=rf"just starting .*process {os.getpid()}"):
            endpoints(tmp_path)
        folder.publish_endpoints({"sender": "http://127.0.0.1:7071"})
        assert endpoints(tmp_path) == {"sender": "http://127.0.0.1:7071"}
    with pytest.raises(NotUpError):
        endpoints(tmp_path)


def test_one_that_was_killed_is_not_up(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "lock").write_text(str(ended.pid))
    (tmp_path / "endpoints.json").write_text('{"sender": "left over"}')
    with pytest.raises(NotUpError, match=rf"-m local up --folder {tmp_path}$"):
        endpoints(tmp_path)


def test_the_command_to_start_one_is_given_whole(tmp_path: Path) -> None:
    with pytest.raises(NotUpError) as raised:
        endpoints(tmp_path / "my folder")
    command = shlex.split(str(raised.value).partition("start one with: ")[2])
    assert (ROOT / command[0]).exists()
    assert command[1:] == ["-m", "local", "up", "--folder", str(tmp_path / "my folder")]
    assert shell_command(ROOT / ".local", "up").endswith("python -m local up")


def test_nothing_but_the_named_file_remains_of_a_write(tmp_path: Path) -> None:
    with lock(tmp_path) as folder:
        folder.write_private("x", b"1")
        folder.write_private("x", b"2")
        assert (tmp_path / "x").read_bytes() == b"2"
        assert {file.name for file in tmp_path.iterdir()} == {"lock", "x"}


def test_the_certificate_is_trusted_by_the_ca_file_and_no_key_stays_on_disk(tmp_path: Path) -> None:
    with lock(tmp_path) as folder:
        ca, context = folder.certify()
        for file in tmp_path.iterdir():
            assert b"PRIVATE KEY" not in file.read_bytes()
        with socket.create_server(("127.0.0.1", 0)) as server:
            answering = threading.Thread(target=greet, args=(server, context))
            answering.start()
            client = ssl.create_default_context(cafile=str(ca))
            with (
                socket.create_connection(server.getsockname()) as plain,
                client.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
            ):
                assert connection.recv(5) == b"hello"
            answering.join()


def greet(server: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = server.accept()
    with plain, context.wrap_socket(plain, server_side=True) as connection:
        connection.sendall(b"hello")

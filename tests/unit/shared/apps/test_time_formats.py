"""The times of a message are read without compiling a format again."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest
from azure.functions.meta import Datum
from azure.functions.servicebus import ServiceBusMessageInConverter

from shared.apps.time_formats import keep_compiled

# As the host writes them: without a zone, and so in none of the first twelve formats.
TIMES = {"EnqueuedTimeUtc": "2026-11-26T12:00:00.123", "ExpiresAtUtc": "2026-12-10T12:00:00"}
STRPTIME: Any = import_module("_strptime")


class Compiler:
    """Compiles formats as before, and keeps what it was asked for."""

    def __init__(self, real: Any) -> None:
        self.formats: list[str] = []
        self._compile = real.compile

    def compile(self, text: str) -> Any:
        self.formats.append(text)
        return self._compile(text)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Compiler:
    read()  # so that the module has looked at the locale and the time zone
    monkeypatch.setattr(STRPTIME, "_CACHE_MAX_SIZE", 5)
    monkeypatch.setattr(STRPTIME, "_regex_cache", {})
    compiler = Compiler(STRPTIME._TimeRE_cache)
    monkeypatch.setattr(STRPTIME._TimeRE_cache, "compile", compiler.compile, raising=False)
    return compiler


def read() -> Mapping[str, str]:
    """Read a message as the worker does, and return its times."""
    times = {name: Datum(f'"{value}"', "json") for name, value in TIMES.items()}
    metadata = {"UserProperties": Datum("{}", "json"), **times}
    message: Any = ServiceBusMessageInConverter.decode(
        Datum(b"x", "bytes"), trigger_metadata=metadata
    )
    return {
        "EnqueuedTimeUtc": message.enqueued_time_utc.isoformat(timespec="milliseconds"),
        "ExpiresAtUtc": message.expires_at_utc.isoformat(),
    }


def test_no_format_is_compiled_again_for_the_next_message(compiler: Compiler) -> None:
    keep_compiled()
    read()
    compiler.formats.clear()
    assert read() == TIMES
    assert compiler.formats == []


def test_by_itself_python_compiles_them_again_for_each_message(compiler: Compiler) -> None:
    # Where this fails, Python or azure-functions has changed: `keep_compiled` may not be needed.
    read()
    compiler.formats.clear()
    read()
    assert len(compiler.formats) > 10


@pytest.mark.usefixtures("compiler")
def test_a_higher_limit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STRPTIME, "_CACHE_MAX_SIZE", 1000)
    keep_compiled()
    assert STRPTIME._CACHE_MAX_SIZE == 1000

"""What all tests may ask for."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import NoPostgresError, Postgres, running

# What programs write depends on these: on a CI server, in a narrow window and in a user's shell it
# has to be the same. Processes that the tests start inherit it.
for _name in (
    *("FORCE_COLOR", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "PY_COLORS", "PYTHON_COLORS"),
    *("TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES"),
):
    os.environ.pop(_name, None)
os.environ.update(COLUMNS="80", TERM="xterm")

# A shell ignores SIGINT for what it starts in the background; the tests and their processes do not.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is slow, and that says nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave the tests out of every search for garbage: there are thousands, and they stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, one for each process of the tests."""
    try:
        with running() as server:
            yield server
    except NoPostgresError as error:
        pytest.skip(str(error))

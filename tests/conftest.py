"""What all tests may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import NoPostgresError, Postgres, running

# A busy machine is slow, and that says nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, one for each process of the tests."""
    try:
        with running() as server:
            yield server
    except NoPostgresError as error:
        pytest.skip(str(error))

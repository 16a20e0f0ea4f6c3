"""What all tests may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import NoPostgresError, Postgres, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, one for each process of the tests."""
    try:
        with running() as server:
            yield server
    except NoPostgresError as error:
        pytest.skip(str(error))

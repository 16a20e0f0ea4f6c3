"""How many inputs each test makes: EXAMPLES in the environment, few by default."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EFFORT = settings(
    max_examples=int(os.environ.get("EXAMPLES") or 50),
    deadline=None,
    # What tests share here is made to be shared: each input has a connection of its own.
    suppress_health_check=list(HealthCheck),
)

"""How many inputs each test makes: EXAMPLES in the environment, or a few that are always the same.

So a change is judged by what it changes; whoever looks for what nobody foresaw says how many.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_EXAMPLES = os.environ.get("EXAMPLES")

EFFORT = settings(
    max_examples=int(_EXAMPLES or 50),
    derandomize=not _EXAMPLES,
    deadline=None,
    # What tests share here is made to be shared: each input has a connection of its own.
    suppress_health_check=list(HealthCheck),
)

"""`*` in a data action of a role matches any characters, however many `*` there are."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from local.authorization.authorization import permits
from local.deployment.resources import RoleDefinition


@given(pattern=st.text("ab/*", min_size=1, max_size=9), action=st.text("ab/", max_size=12))
def test_a_pattern_matches_what_a_shell_would_match(pattern: str, action: str) -> None:
    role = RoleDefinition("id", "name", (pattern,), ())
    assert permits(role, action) == fnmatchcase(action, pattern)

"""The rules of subscriptions as they are deployed: plain values, not parsed yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

ParameterValue: TypeAlias = bool | int | float | str | datetime | timedelta
DEFAULT_RULE = "$Default"
# Microsoft Learn, "Naming rules and restrictions for Azure resources", rules of subscriptions.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,48}[A-Za-z0-9])?")


@dataclass(frozen=True)
class TrueFilterSpec:
    """A filter that every message matches."""


@dataclass(frozen=True)
class FalseFilterSpec:
    """A filter that no message matches."""


@dataclass(frozen=True)
class SqlSpec:
    """A SQL expression, of a filter or of an action; names of parameters begin with @."""

    expression: str
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)


@dataclass(frozen=True)
class CorrelationFilterSpec:
    """Values that properties must have: `system` by names such as CorrelationId and Label."""

    system: Mapping[str, str]
    properties: Mapping[str, ParameterValue] = field(default_factory=dict)


FilterSpec: TypeAlias = TrueFilterSpec | FalseFilterSpec | SqlSpec | CorrelationFilterSpec


@dataclass(frozen=True)
class RuleSpec:
    """A rule by its name. `created_at`: seconds since 1970, where it was made at run time."""

    name: str
    condition: FilterSpec = TrueFilterSpec()
    action: SqlSpec | None = None
    created_at: float = 0.0


def is_rule_name(name: str) -> bool:
    """Return whether a rule may have that name."""
    return name == DEFAULT_RULE or _NAME.fullmatch(name) is not None

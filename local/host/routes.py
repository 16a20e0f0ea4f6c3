"""Route templates of HTTP triggers, matched as ASP.NET Core does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from local.host.errors import AppRefusedError
from local.host.target import segments

_PARAMETER = re.compile(
    r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<constraints>(:\w+)*)(?P<optional>\?)?\}"
)
_LONG = 2**63
_INT = 2**31


@dataclass(frozen=True)
class LiteralSegment:
    """A segment that must match as written, without regard to case."""

    text: str


@dataclass(frozen=True)
class ParameterSegment:
    """A segment that is a route parameter; with `rest` it is all remaining segments."""

    name: str
    constraints: tuple[str, ...]
    optional: bool
    rest: bool

    @property
    def may_be_absent(self) -> bool:
        """Return whether a path may end before it."""
        return self.optional or self.rest


Segment = LiteralSegment | ParameterSegment


@dataclass(frozen=True)
class Route:
    """A parsed template, matched as `RoutePatternMatcher` of ASP.NET Core does."""

    template: str
    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, template: str) -> Route:
        """Parse `messages/{id:guid?}`. Raises AppRefusedError for what is not supported."""
        texts = [text for text in template.strip("/").split("/") if text]
        segments = tuple(_segment(text, template) for text in texts)
        for segment in segments[:-1]:
            if isinstance(segment, ParameterSegment) and segment.may_be_absent:
                raise AppRefusedError(f"route {template!r}: {segment.name!r} must come last")
        return cls(template, segments)

    def match(self, path: str) -> Mapping[str, str] | None:
        """Return the route parameters of a decoded path, or None if it does not match."""
        given = segments(path)
        found: dict[str, str] = {}
        for position, segment in enumerate(self.segments):
            if position >= len(given):
                return (
                    found
                    if isinstance(segment, ParameterSegment) and segment.may_be_absent
                    else None
                )
            # An empty segment never matches, except the one at the end.
            if not given[position]:
                return None
            if isinstance(segment, ParameterSegment) and segment.rest:
                found[segment.name] = path[1:].split("/", position)[position]
                return found
            if not _accepts(segment, given[position], found):
                return None
        return found if len(given) == len(self.segments) else None


def is_same_route(one: str, other: str) -> bool:
    """Return whether two templates are the same route (`ScriptHost.HttpRoutesConflict`)."""
    return one.strip("/").lower() == other.strip("/").lower()


def is_built_in(template: str) -> bool:
    """Return whether a template is one of the host's own (`ScriptHost.ValidateHttpFunction`)."""
    return template.strip("/").lower().startswith(("admin", "runtime"))


def _segment(text: str, template: str) -> Segment:
    if "{" not in text and "}" not in text:
        return LiteralSegment(text)
    parsed = _PARAMETER.fullmatch(text)
    if parsed is None:
        raise AppRefusedError(f"route {template!r}: segment {text!r} is not supported by this host")
    constraints = tuple(parsed["constraints"].lower().split(":")[1:])
    for unknown in set(constraints) - set(_CONSTRAINTS):
        raise AppRefusedError(
            f"route {template!r}: constraint {unknown!r} is not supported by this host"
        )
    return ParameterSegment(
        parsed["name"], constraints, bool(parsed["optional"]), bool(parsed["rest"])
    )


def _accepts(segment: Segment, value: str, found: dict[str, str]) -> bool:
    if isinstance(segment, LiteralSegment):
        return segment.text.lower() == value.lower()
    found[segment.name] = value
    return all(_CONSTRAINTS[name](value) for name in segment.constraints)


def _is_integer_below(limit: int) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        return bool(re.fullmatch(r"[+-]?[0-9]{1,19}", value)) and -limit <= int(value) < limit

    return check


def _is_guid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def _is_alpha(value: str) -> bool:
    return value.isascii() and value.isalpha()


_CONSTRAINTS: Mapping[str, Callable[[str], bool]] = {
    "int": _is_integer_below(_INT),
    "long": _is_integer_below(_LONG),
    "guid": _is_guid,
    "alpha": _is_alpha,
}

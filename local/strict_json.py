"""A JSON object read to its last property: what is malformed is named, what is unknown is refused.

A misspelt property would otherwise count as absent, and the document as one that means less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

_Choice = TypeVar("_Choice", bound=str)
_SHOWN = 40  # characters of a wrong value or an unknown name in an error


class Location(Protocol):
    """A place in a document; `/` leads to a property of it, or to an item by its position."""

    def __truediv__(self, step: str | int) -> Self:
        """Return the place of a property or of an item."""

    def error(self, why: str) -> Exception:
        """Return the error that names this place."""


@dataclass(frozen=True)
class DocumentPath:
    """A place in a document, by its path; `make_error` makes the error of a message."""

    make_error: Callable[[str], Exception]
    path: str = ""

    def __truediv__(self, step: str | int) -> Self:
        return replace(self, path=extended(self.path, step))

    def error(self, why: str) -> Exception:
        """Return the error that names this place."""
        return self.make_error(f"{self.path or 'the document'} {why}")


def extended(path: str, step: str | int) -> str:
    """Return the path of a property or of an item, such as `queues[2].name`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


class StrictObject:
    """A JSON object whose properties are taken one by one; `reject_unread` refuses the rest.

    A property that is null counts as absent; an absent one without a default is an error. Errors
    are those of the location. Subclasses add the forms of values that their documents have.
    """

    unread = "is not a known property"
    any_case = False  # whether names are compared without regard to case

    def __init__(self, value: object, found_at: Location) -> None:
        if not isinstance(value, dict):
            raise found_at.error("must be an object")
        self.found_at = found_at
        given = [(str(name), item) for name, item in value.items() if item is not None]
        self._left = {self._compared(name): (name, item) for name, item in given}

    def has(self, name: str) -> bool:
        """Return whether a property is there and not taken yet."""
        return self._compared(name) in self._left

    def peek(self, name: str) -> object:
        """Return a property of any form without taking it; None where it is absent."""
        return self._left.get(self._compared(name), (name, None))[1]

    def ignore(self, *names: str) -> None:
        """Account for properties that have no effect."""
        for name in names:
            self._left.pop(self._compared(name), None)

    def rest(self) -> Iterator[tuple[str, object]]:
        """Take all properties that are left: for objects whose names are data."""
        while self._left:
            yield self._left.pop(next(iter(self._left)))

    def names(self) -> list[str]:
        """Return the names of the properties that are left: for objects whose names are data."""
        return sorted(name for name, _ in self._left.values())

    def reject_unread(self) -> None:
        """Refuse the first property that is not accounted for."""
        for name, _ in self._left.values():
            raise (self.found_at / name[:_SHOWN]).error(self.unread)

    def raw(self, name: str, default: object = None) -> object:
        """Take a property of any form."""
        _, value = self._left.pop(self._compared(name), (name, default))
        if value is None:
            raise (self.found_at / name).error("is missing")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """Take a string."""
        return self._string(self.raw(name, default), self.found_at / name)

    def choice(
        self, name: str, allowed: tuple[_Choice, ...], default: _Choice | None = None
    ) -> _Choice:
        """Take one of the allowed strings, without regard to case, as it is spelt there."""
        text = self.text(name, default)
        for known in allowed:
            if known.lower() == text.lower():
                return known
        raise (self.found_at / name).error(f"{text[:_SHOWN]!r} is not one of {', '.join(allowed)}")

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Take a boolean."""
        value = self.raw(name, default)
        if not isinstance(value, bool):
            raise (self.found_at / name).error("must be true or false")
        return value

    def number(
        self, name: str, default: int | None = None, low: int = 0, high: int = 2**31 - 1
    ) -> int:
        """Take a whole number within limits, both included."""
        value = self.raw(name, default)
        # A bool is an int in Python, and not in JSON.
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise (self.found_at / name).error(f"must be a whole number from {low} to {high}")
        return value

    def only(self, name: str, allowed: object, why: str) -> None:
        """Account for a property that may be absent or have one value only."""
        if self.has(name) and self.raw(name) != allowed:
            raise (self.found_at / name).error(why)

    def body(self, name: str) -> Self:
        """Take an object; an absent one is empty."""
        return type(self)(self.raw(name, {}), self.found_at / name)

    def bodies(self, name: str) -> list[Self]:
        """Take an array of objects; an absent one is empty."""
        at = self.found_at / name
        return [type(self)(item, at / i) for i, item in enumerate(self._array(name))]

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Take an array of strings."""
        if not self.has(name):
            return default
        at = self.found_at / name
        return tuple(self._string(item, at / i) for i, item in enumerate(self._array(name)))

    def _array(self, name: str) -> list[object]:
        items = self.raw(name, [])
        if not isinstance(items, list):
            raise (self.found_at / name).error("must be an array")
        return items

    def _string(self, value: object, found_at: Location) -> str:
        if not isinstance(value, str):
            raise found_at.error("must be a string")
        return value

    def _compared(self, name: str) -> str:
        return name.lower() if self.any_case else name

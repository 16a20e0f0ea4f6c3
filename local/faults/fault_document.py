"""Reading the JSON object that describes a fault; whatever is wrong with it is told by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

_Choice = TypeVar("_Choice", bound=str)
_LONGEST = 1000  # characters of a text


class FaultError(ValueError):
    """What was told is no fault that can be played; the text says why."""


class Document:
    """The named values of an object; `reject_unread` refuses those that nobody asked for."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self._read: set[str] = set()

    @classmethod
    def of(cls, document: object) -> Document:
        """Take a JSON object. Raises `FaultError` for anything else."""
        if not isinstance(document, dict):
            raise FaultError("a fault is a JSON object")
        return cls({str(name): value for name, value in document.items()})

    def has(self, name: str) -> bool:
        """Return whether a value was given; null is none."""
        return self._values.get(name) is not None

    def choice(self, name: str, choices: tuple[_Choice, ...]) -> _Choice:
        """Return one of `choices`, which has to be given."""
        value = self._take(name)
        for choice in choices:
            if value == choice:
                return choice
        raise FaultError(f"{name} must be one of {', '.join(choices)}")

    def text(self, name: str) -> str | None:
        """Return a text that is not empty."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
            raise FaultError(f"{name} must be a text of 1 to {_LONGEST} characters")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise FaultError(f"{name} has half a character, which no UTF-8 has")
        return value

    def header(self, name: str) -> str | None:
        """Return what a header can carry: a text, or a whole number as one."""
        value = self._take(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is None:
            return None
        # A line break would end the header and begin another one.
        fits = isinstance(value, str) and value.isascii() and value.isprintable()
        if not isinstance(value, str) or not fits or not 0 < len(value) <= _LONGEST:
            raise FaultError(f"{name} must be a number or a text of printable ASCII")
        return value

    def whole(self, name: str, low: int, high: int, *, needed: bool = False) -> int | None:
        """Return a whole number within bounds, both included."""
        value = self._take(name)
        if value is None and not needed:
            return None
        # True is an int in Python, and none in JSON.
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise FaultError(f"{name} must be a whole number, {low} to {high}")
        return value

    def number(self, name: str, high: float, *, needed: bool = False) -> float | None:
        """Return a number above zero, up to `high`."""
        value = self._take(name)
        if value is None and not needed:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= high:
            raise FaultError(f"{name} must be a number above 0, up to {high:g}")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false, which it is where it is not given."""
        value = self._take(name)
        if value is not None and not isinstance(value, bool):
            raise FaultError(f"{name} must be true or false")
        return value is True

    def reject_unread(self) -> None:
        """Refuse names that nothing reads: a slip must not pass for a fault that plays."""
        unknown = sorted(set(self._values) - self._read)
        if unknown:
            raise FaultError(f"a fault has no {', '.join(name[:40] for name in unknown)}")

    def _take(self, name: str) -> object:
        self._read.add(name)
        return self._values.get(name)

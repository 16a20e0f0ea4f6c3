"""The JSON object that describes a fault: the forms that its properties have."""

from __future__ import annotations

from local.strict_json import DocumentPath, StrictObject

_LONGEST = 1000  # characters of a text


class FaultError(ValueError):
    """What was given does not describe a fault that can be injected; the text says why."""


class FaultDocument(StrictObject):
    """A description of a fault while it is read. Every error is a `FaultError`."""

    unread = "is not a property of a fault"

    @classmethod
    def of(cls, document: object) -> FaultDocument:
        """Take a JSON object. Raises `FaultError` for anything else."""
        return cls(document, DocumentPath(FaultError))

    def matcher(self, name: str) -> str | None:
        """Take a text to be found in requests; None where it is absent."""
        if not self.has(name):
            return None
        text = self.text(name)
        if not 0 < len(text) <= _LONGEST:
            raise (self.found_at / name).error(f"must be a text of 1 to {_LONGEST} characters")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise (self.found_at / name).error("has a lone surrogate, which UTF-8 cannot express")
        return text

    def header(self, name: str) -> str | None:
        """Take the value of an HTTP header, a text or a whole number; None where it is absent."""
        if not self.has(name):
            return None
        value = self.raw(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        # A line break would end the header and begin another one.
        fits = isinstance(value, str) and value.isascii() and value.isprintable()
        if not isinstance(value, str) or not fits or not 0 < len(value) <= _LONGEST:
            raise (self.found_at / name).error("must be a number or a text of printable ASCII")
        return value

    def whole(self, name: str, low: int, high: int) -> int | None:
        """Take a whole number within bounds, both included; None where it is absent."""
        return self.number(name, low=low, high=high) if self.has(name) else None

    def decimal(self, name: str, high: float, *, required: bool = False) -> float | None:
        """Take a number above zero, up to `high`; None where it is absent and not required."""
        if not required and not self.has(name):
            return None
        value = self.raw(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= high:
            raise (self.found_at / name).error(f"must be a number above 0, up to {high:g}")
        return value

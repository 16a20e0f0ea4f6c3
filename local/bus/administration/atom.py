"""Atom, the format in which Service Bus is administered: entries, feeds and errors.

Written by hand, since clients of some languages read prefixes and not the namespaces behind them.
Source: Microsoft Learn, "Service Bus REST API"; RFC 4287.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from local.bus.administration.errors import bad_request
from local.resource_manager import durations

ATOM = "http://www.w3.org/2005/Atom"
SERVICE_BUS = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
SCHEMA = "http://www.w3.org/2001/XMLSchema"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_MAX_DIGITS = 12
NEVER = "P10675199DT2H48M5.4775807S"  # TimeSpan.MaxValue of .NET


# Reading


def read_description(body: bytes, name: str) -> Description:
    """Read the description in the content of an entry. Raises AdministrationError."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise bad_request("The body is not UTF-8.") from None
    # Without a document type there are no entities, whose expansion could fill the memory.
    if "<!DOCTYPE" in text.upper():
        raise bad_request("The body has a document type.")
    try:
        root = ET.fromstring(text)  # noqa: S314 - see above
    except (ET.ParseError, ValueError):
        raise bad_request("The body is not XML.") from None
    found = root.find(f"{{{ATOM}}}content/{{{SERVICE_BUS}}}{name}")
    if root.tag != f"{{{ATOM}}}entry" or found is None:
        raise bad_request(f"The body is not an entry with a {name}.")
    return Description(found)


class Description:
    """An element of a description whose parts are taken one by one; `reject_unread` names the rest.

    A part that is missing or nil has its default. Raises AdministrationError.
    """

    def __init__(self, element: Element) -> None:
        self._name = _local(element)
        self._left: dict[str, Element] = {}
        for child in element:
            if child.attrib.get(f"{{{INSTANCE}}}nil") == "true":
                continue
            if _local(child) in self._left:
                raise bad_request(f"{_local(child)} is in {self._name} twice.")
            self._left[_local(child)] = child

    def ignore(self, *names: str) -> None:
        """Account for parts that only the service writes."""
        for name in names:
            self._left.pop(name, None)

    def reject_unread(self) -> None:
        """Refuse what is not accounted for."""
        for name in self._left:
            raise bad_request(f"{name[:60]} is not a property of {self._name}.")

    def element(self, name: str) -> Element | None:
        """Take a part that has parts."""
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        """Take a string."""
        found = self._left.pop(name, None)
        if found is None:
            return None
        if len(found):
            raise bad_request(f"{name} is not a value.")
        return found.text or ""

    def flag(self, name: str, *, default: bool) -> bool:
        """Take a boolean."""
        text = self.text(name)
        if text is None:
            return default
        if text.strip().lower() not in ("true", "false"):
            raise bad_request(f"{name} must be true or false.")
        return text.strip().lower() == "true"

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Take a whole number within limits, both included."""
        text = self.text(name)
        if text is None:
            return default
        digits = text.strip()
        is_number = digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS
        if not is_number or not low <= int(digits) <= high:
            raise bad_request(f"{name} must be a whole number from {low} to {high}.")
        return int(digits)

    def duration(
        self, name: str, default: timedelta | None, low: timedelta, high: timedelta | None = None
    ) -> timedelta | None:
        """Take a duration within limits; None is the longest, where `high` allows it."""
        text = self.text(name)
        if text is None:
            return default
        try:
            found = durations.parse(text.strip())
        except ValueError:
            raise bad_request(f"{name} must be a duration such as PT1M.") from None
        is_high = high is not None and (found is None or found > high)
        if is_high or (found is not None and found < low):
            most = f" to {duration(high)}" if high else ""
            raise bad_request(f"{name} must be from {duration(low)}{most}.")
        return found


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def kind_of(element: Element) -> str:
    """Return the schema type that an element is an instance of, without its prefix."""
    return element.attrib.get(f"{{{INSTANCE}}}type", "").rpartition(":")[2]


def children(element: Element) -> Iterator[tuple[str, Element]]:
    """Yield the parts of an element with their names."""
    for child in element:
        yield _local(child), child


# Writing


@dataclass(frozen=True)
class Entry:
    """One entity in a response. Times in seconds since 1970."""

    title: str
    url: str
    created_at: float
    updated_at: float
    content: str


def node(name: str, *parts: str | None, text: object = None, **attributes: str) -> str:
    """Write an element: of parts that are written already, or of a text.

    An underscore in an attribute's name stands for a colon.
    """
    given = "".join(
        f" {key.replace('_', ':')}={quoteattr(_text(value))}" for key, value in attributes.items()
    )
    inner = escape(_text(text)) if text is not None else "".join(part or "" for part in parts)
    return f"<{name}{given}>{inner}</{name}>"


def description(name: str, *parts: str | None) -> str:
    """Write the outermost element of a description."""
    return node(name, *parts, xmlns=SERVICE_BUS, xmlns_i=INSTANCE)


def entry(one: Entry) -> str:
    """Write an entry as a document."""
    return _PROLOGUE + _entry(one, xmlns=ATOM)


def feed(title: str, url: str, entries: Sequence[Entry], following: str | None = None) -> str:
    """Write a feed; `following` is where its next page is."""
    links = node("link", rel="self", href=url)
    if following:
        links += node("link", rel="next", href=following)
    head = node("title", text=title, type="text") + node("id", text=url)
    updated = node("updated", text=max((one.updated_at for one in entries), default=0.0))
    return _PROLOGUE + node("feed", head, updated, links, *map(_entry, entries), xmlns=ATOM)


def error(status: int, detail: str) -> str:
    """Write an error."""
    return node("Error", node("Code", text=status), node("Detail", text=detail))


def duration(value: timedelta | None) -> str:
    """Write a duration; None is the longest."""
    if value is None:
        return NEVER
    rest = value - timedelta(days=value.days)
    minutes, seconds = divmod(rest.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{rest.microseconds:06}".rstrip("0") if rest.microseconds else ""
    parts = [(hours, "H"), (minutes, "M")]
    clock = "".join(f"{count}{unit}" for count, unit in parts if count)
    if seconds or fraction:
        clock += f"{seconds}{fraction}S"
    days = f"{value.days}D" if value.days else ""
    return f"P{days}" + (f"T{clock}" if clock or not days else "") + ("" if clock or days else "0S")


def _entry(one: Entry, **attributes: str) -> str:
    return node(
        "entry",
        node("id", text=one.url),
        node("title", text=one.title, type="text"),
        node("published", text=one.created_at),
        node("updated", text=one.updated_at),
        node("link", rel="self", href=one.url),
        node("content", one.content, type="application/xml"),
        **attributes,
    )


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        case timedelta():
            return duration(value)
    # However it is escaped, what is not a character of XML 1.0 (2.2) may not be in a document.
    return _NOT_XML.sub("", str(value))


_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>'

"""The addresses of links: an entity of the namespace, and which side of it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_DEAD_LETTERS = "/$deadletterqueue"
_MANAGEMENT = "/$management"
CBS = "$cbs"


@dataclass(frozen=True)
class Address:
    """The address of a link. `entity` is in lower case: names in Service Bus have no case."""

    entity: str
    is_dead_letter: bool = False
    is_management: bool = False

    @property
    def path(self) -> str:
        """The address without its host, in lower case."""
        dead = _DEAD_LETTERS if self.is_dead_letter else ""
        return self.entity + dead + (_MANAGEMENT if self.is_management else "")


def parse_address(text: str) -> Address:
    """Read `q`, `/q`, or `amqps://host:port/q`, each with /$DeadLetterQueue and /$management."""
    path = path_of(text)
    is_management = path.endswith(_MANAGEMENT)
    path = path.removesuffix(_MANAGEMENT)
    is_dead_letter = path.endswith(_DEAD_LETTERS)
    return Address(path.removesuffix(_DEAD_LETTERS), is_dead_letter, is_management)


def path_of(text: str) -> str:
    """Return the path of an address or a URL, in lower case, without slashes around it."""
    if "://" in text:
        try:
            text = urlsplit(text).path
        except ValueError:
            return ""
    return text.strip("/").lower()

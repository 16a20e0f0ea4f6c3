"""The addresses of links: an entity of the namespace, and which side of it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_DEAD_LETTERS = "/$deadletterqueue"
_TRANSFER = "/$transfer"
_MANAGEMENT = "/$management"
CBS = "$cbs"


@dataclass(frozen=True)
class Address:
    """The address of a link. `entity` is in lower case: names in Service Bus have no case.

    `is_transfer` with `is_dead_letter` is the transfer dead-letter queue of an entity.
    """

    entity: str
    is_dead_letter: bool = False
    is_management: bool = False
    is_transfer: bool = False

    @property
    def path(self) -> str:
        """The address without its host, in lower case."""
        transfer = _TRANSFER if self.is_transfer else ""
        dead = _DEAD_LETTERS if self.is_dead_letter else ""
        return self.entity + transfer + dead + (_MANAGEMENT if self.is_management else "")


def parse_address(text: str) -> Address:
    """Read `q`, `/q`, or `amqps://host:port/q`, each with what follows an entity's name.

    That is /$DeadLetterQueue or /$Transfer/$DeadLetterQueue, and /$management.
    """
    path = path_of(text)
    is_management = path.endswith(_MANAGEMENT)
    path = path.removesuffix(_MANAGEMENT)
    is_dead_letter = path.endswith(_DEAD_LETTERS)
    path = path.removesuffix(_DEAD_LETTERS)
    is_transfer = is_dead_letter and path.endswith(_TRANSFER)
    if is_transfer:
        path = path.removesuffix(_TRANSFER)
    return Address(path, is_dead_letter, is_management, is_transfer)


def path_of(text: str) -> str:
    """Return the path of an address or a URL, in lower case, without slashes around it."""
    if "://" in text:
        try:
            text = urlsplit(text).path
        except ValueError:
            return ""
    return text.strip("/").lower()

"""Taking secrets out of the output of programs."""

from __future__ import annotations

import re

_INSTEAD = "***"
_SHORTEST = 8  # a shorter text would be taken out of words that happen to hold it
# What looks like a secret, though it was not learned as one: keys of Service Bus and storage,
# signing secrets, signatures and function keys in URLs, passwords in URLs, tokens.
_FORMS = (
    re.compile(r"(?i)\b((?:SharedAccessKey|AccountKey|Password)\s*=\s*)[^;\s\"']+"),
    re.compile(r"(whsec_)[A-Za-z0-9+/=]+"),
    re.compile(r"(?i)([?&](?:sig|code)=)[^&\s\"']+"),
    re.compile(r"(://[^:/@\s]+:)[^@/\s]+(?=@)"),
    re.compile(r"()\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"),
    re.compile(r"(?i)(\bBearer\s+)[A-Za-z0-9._~+/=-]+"),
)


class Redactor:
    """Knows the secrets of a run, so that none of them is ever shown or written down."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def learn(self, secret: str) -> str:
        """Remember a secret and return it."""
        if len(secret) >= _SHORTEST:
            self._known.add(secret)
        return secret

    def clean(self, text: str) -> str:
        """Return the text without the secrets known, and without what looks like one."""
        # The longest first: one secret may hold another.
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, _INSTEAD)
        for form in _FORMS:
            text = form.sub(rf"\1{_INSTEAD}", text)
        return text

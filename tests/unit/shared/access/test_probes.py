"""What a vault's answer to a try means: only what is about the identity is a refusal."""

from __future__ import annotations

import json

import pytest

from shared.access.probes import outcome_of


def error(code: str, inner: str | None = None) -> bytes:
    answer: dict[str, object] = {"code": code, "message": "planted"}
    return json.dumps(
        {"error": answer | ({"innererror": {"code": inner}} if inner else {})}
    ).encode()


@pytest.mark.parametrize(
    ("status", "body", "decrypting", "outcome"),
    [
        (200, b"", False, "allowed"),
        (200, b"", True, "allowed"),
        # Garbage that may be decrypted cannot be.
        (400, error("BadParameter"), True, "allowed"),
        (400, error("BadParameter"), False, "could not tell"),
        # A refusal by a gateway before the vault says nothing of a right.
        (400, error("InvalidApiVersion"), True, "could not tell"),
        (400, b"<html>Bad Request</html>", True, "could not tell"),
        (403, error("Forbidden", "ForbiddenByRbac"), False, "refused"),
        (403, error("Forbidden", "ForbiddenByPolicy"), True, "refused"),
        (403, error("Forbidden", "AccessDenied"), False, "refused"),
        # These are for whoever asks, right or no right.
        (403, error("Forbidden", "ForbiddenByFirewall"), False, "could not tell"),
        (403, error("Forbidden", "KeyDisabled"), True, "could not tell"),
        (403, b"", False, "could not tell"),
        (401, error("Unauthorized"), False, "could not tell"),
        (404, error("KeyNotFound"), False, "could not tell"),
        (429, error("Throttled"), False, "could not tell"),
        (503, b"[]", False, "could not tell"),
        (403, b'{"error": "planted"}', False, "could not tell"),
        (403, b'{"error": {"code": ["planted"]}}', False, "could not tell"),
        (403, b"[" * 100_000, False, "could not tell"),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, decrypting: bool, outcome: str) -> None:
    found, answer = outcome_of(status, body, decrypting=decrypting)
    assert found == outcome
    assert answer.startswith(str(status))
    assert "planted" not in answer

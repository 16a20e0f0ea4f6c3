"""Values of the protocol, to and from the converters of azure.functions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from local.host.worker.messages import Data


def to_datum(data: Data, datum: Any) -> Any:
    """Convert to a `Datum` of that class; nothing becomes None."""
    kind, value = data
    if kind is None:
        return None
    if kind == "http":
        return datum(_request(value, datum), kind)
    if kind.startswith("collection_"):
        # As in a message of gRPC: a member named after what it holds.
        value = SimpleNamespace(**{kind.removeprefix("collection_"): value})
    return datum(value, kind)


def from_datum(datum: Any) -> Data:
    """Read what a function returned."""
    if datum is None or datum.type is None:
        return None, None
    return datum.type, _answer(datum.value) if datum.type == "http" else datum.value


def _request(value: Any, datum: Any) -> dict[str, Any]:
    texts = {name: datum(value[name], "string") for name in ("method", "url")}
    mappings = {
        name: {key: datum(text, "string") for key, text in value[name].items()}
        for name in ("headers", "params", "query")
    }
    return {**texts, **mappings, "body": to_datum(value["body"], datum)}


def _answer(value: Any) -> dict[str, Any]:
    headers = {name: datum.value for name, datum in value["headers"].items()}
    cookies = [morsel for cookie in value["cookies"] or () for morsel in cookie.values()]
    return {
        "status": value["status_code"].value,
        "headers": headers,
        "cookies": [morsel.OutputString() for morsel in cookies],
        "body": from_datum(value["body"]),
    }

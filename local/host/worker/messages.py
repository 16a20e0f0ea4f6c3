"""The protocol between a host and its worker: MessagePack over a private socket pair.

The messages and their members are those of the Functions host's own protocol, as far as HTTP and
Service Bus triggers need it (FunctionRpc.proto of azure-functions-language-worker-protobuf).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import msgpack

Data = tuple[str | None, Any]
"""A value with its kind, `TypedData` there: a text (`string`), bytes, JSON as text, several of one
kind (`collection_bytes`, `collection_string`, `collection_sint64`), a request or an answer (`http`:
a mapping whose `body` is `Data` again), or nothing (None)."""


@dataclass(frozen=True)
class Indexed:
    """The worker's first message: each function's name and bindings, each a JSON object."""

    functions: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class IndexingFailed:
    """The first message of a worker that cannot load the app; `reason` is one line."""

    reason: str


@dataclass(frozen=True)
class Invocation:
    """A call of a function: the values of its parameters, and the metadata of its trigger."""

    id: str
    function: str
    inputs: Mapping[str, Data]
    metadata: Mapping[str, Data]
    trace_parent: str = ""
    trace_state: str = ""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call: what it returned, or its error in one line and its traceback."""

    id: str
    returned: Data = (None, None)
    error: str | None = None
    traceback: str = ""


@dataclass(frozen=True)
class Stop:
    """The host's last message: nothing more will be called."""


WorkerMessage = Indexed | IndexingFailed | Invocation | Outcome | Stop
_KINDS = {kind.__name__: kind for kind in (Indexed, IndexingFailed, Invocation, Outcome, Stop)}
_FIELDS = {kind: [field.name for field in fields(kind)] for kind in _KINDS.values()}


def encode(message: WorkerMessage) -> bytes:
    """Encode a message. Raises TypeError for a value that a message cannot have."""
    kind = type(message)
    members = [getattr(message, name) for name in _FIELDS[kind]]
    packed: bytes = msgpack.packb([kind.__name__, *members], unicode_errors="surrogatepass")
    return packed


class Decoder:
    """Decodes messages from data in pieces of any size."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(
            use_list=False,
            max_buffer_size=0,  # the host's HTTP side limits what a request may hold
            unicode_errors="surrogatepass",
        )

    def feed(self, data: bytes) -> Iterator[WorkerMessage]:
        """Return the messages that are complete now."""
        self._unpacker.feed(data)
        for kind, *members in self._unpacker:
            yield _KINDS[kind](*members)

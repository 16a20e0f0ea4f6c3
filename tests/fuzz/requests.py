"""HTTP requests that are valid, and what becomes of them when parts are changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.fuzz.odd_values import (
    BODIES,
    FRAMING,
    HEADERS,
    METHODS,
    TEXTS,
    VALUES,
    VERSIONS,
    Header,
)


@dataclass(frozen=True)
class Request:
    """A request in parts; `is_framed` where its end is known to be where it is."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    chunks: tuple[int, ...] = ()
    version: bytes = b"HTTP/1.1"
    is_framed: bool = True
    is_json: bool = field(default=False, compare=False)

    def target(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.path}?{query}" if query else self.path

    def encoded(self) -> bytes:
        lines = [self.method.encode() + b" " + _raw(self.target()) + b" " + self.version]
        lines += [name + b": " + value for name, value in self.headers]
        names = {name.lower() for name, _ in self.headers}
        body = self.body
        if self.chunks:
            lines.append(b"Transfer-Encoding: chunked")
            body = self._chunked()
        elif b"content-length" not in names and (body or self.method in ("POST", "PUT", "PATCH")):
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def _chunked(self) -> bytes:
        rest, parts = self.body, []
        for size in self.chunks:
            part, rest = rest[:size], rest[size:]
            if part:
                parts.append(part)
        parts += [rest] if rest else []
        return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in parts) + b"0\r\n\r\n"


def request(
    method: str,
    path: str,
    body: object = None,
    *,
    query: Sequence[tuple[str, str]] = (),
    headers: Sequence[Header] = (),
) -> Request:
    """Make a valid request; a body that is not bytes is written as JSON."""
    is_json = body is not None and not isinstance(body, bytes)
    content = json.dumps(body).encode() if is_json else body
    assert content is None or isinstance(content, bytes)
    return Request(
        method,
        path,
        tuple((name, quote(value)) for name, value in query),
        ((b"Host", b"localhost"), *headers),
        content or b"",
        is_json=is_json,
    )


def changed(seeds: Sequence[Request]) -> st.SearchStrategy[Request]:
    """Return requests with none of their parts changed, or a few."""
    return st.composite(_changed)(seeds)


def _changed(draw: st.DrawFn, seeds: Sequence[Request]) -> Request:
    found = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 3))):
        found = draw(st.sampled_from(_CHANGES))(draw, found)
    return found


def damaged(seeds: Sequence[Request]) -> st.SearchStrategy[list[bytes]]:
    """Return requests, one or two, with bytes changed, cut into parts at any place."""
    return st.composite(_damaged)(seeds)


def _damaged(draw: st.DrawFn, seeds: Sequence[Request]) -> list[bytes]:
    data = bytearray(
        b"".join(one.encoded() for one in draw(st.lists(changed(seeds), min_size=1, max_size=2)))
    )
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("replace", "insert", "delete", "cut"))):
            case "replace":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=2))
            case "insert":
                data[at:at] = draw(
                    st.sampled_from((b"\r\n", b"\n", b"\0", b"\xff", b": ", b"0\r\n\r\n"))
                )
            case "delete":
                del data[at : at + draw(st.integers(1, 20))]
            case "cut":
                del data[at:]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
    return [bytes(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


_Change = Callable[[st.DrawFn, Request], Request]


def _method(draw: st.DrawFn, one: Request) -> Request:
    return replace(one, method=draw(st.sampled_from(METHODS)), is_framed=False)


def _segment(draw: st.DrawFn, one: Request) -> Request:
    parts = one.path.split("/")
    at = draw(st.integers(0, len(parts) - 1))
    parts[at : at + draw(st.integers(0, 1))] = draw(st.lists(st.sampled_from(TEXTS), max_size=2))
    # A space or a line's end in the target makes another request of it.
    return replace(one, path="/".join(parts), is_framed=False)


def _query(draw: st.DrawFn, one: Request) -> Request:
    query = list(one.query)
    at = draw(st.integers(0, len(query)))
    name = (
        query[at][0]
        if at < len(query)
        else draw(st.sampled_from(("maxresults", "code", "id", "x")))
    )
    new = [(name, draw(st.sampled_from(TEXTS)))] * draw(st.integers(0, 2))
    query[at : at + 1] = new
    return replace(one, query=tuple(query), is_framed=False)


def _header(draw: st.DrawFn, one: Request) -> Request:
    headers = list(one.headers)
    at = draw(st.integers(0, len(headers)))
    new = draw(st.sampled_from(HEADERS))
    if at < len(headers) and draw(st.booleans()):
        value = draw(st.sampled_from(TEXTS).map(_raw) | st.binary(max_size=20))
        new = (headers[at][0], value)
    headers[at : at + draw(st.integers(0, 1))] = [new] if draw(st.integers(0, 3)) else []
    return replace(one, headers=tuple(headers), is_framed=False)


def _body(draw: st.DrawFn, one: Request) -> Request:
    body = draw(st.sampled_from(BODIES) | st.binary(max_size=30))
    return replace(one, body=body, is_json=False)


def _content(draw: st.DrawFn, one: Request) -> Request:
    if one.is_json:
        document = json.loads(one.body)
        return replace(one, body=json.dumps(_with_a_change(draw, document)).encode())
    texts = list(re.finditer(rb">([^<>]*)<", one.body))
    if not texts:
        return _body(draw, one)
    found = draw(st.sampled_from(texts))
    new = draw(st.sampled_from(TEXTS)).encode("utf-8", "replace")
    return replace(one, body=one.body[: found.start(1)] + new + one.body[found.end(1) :])


def _element(draw: st.DrawFn, one: Request) -> Request:
    tags = list(re.finditer(rb"<[^<>]*>", one.body))
    if not tags:
        return _content(draw, one)
    found = draw(st.sampled_from(tags))
    new = draw(
        st.sampled_from((b"", found[0] * 2, b"<a>", b"<![CDATA[x]]>", b"<!-- x -->", b"<a/>"))
    )
    return replace(one, body=one.body[: found.start()] + new + one.body[found.end() :])


def _chunks(draw: st.DrawFn, one: Request) -> Request:
    if any(name.lower() in FRAMING for name, _ in one.headers):
        return one
    return replace(one, chunks=tuple(draw(st.lists(st.integers(1, 50), min_size=1, max_size=4))))


def _version(draw: st.DrawFn, one: Request) -> Request:
    version = draw(st.sampled_from(VERSIONS))
    return replace(one, version=version, is_framed=False)


_CHANGES: tuple[_Change, ...] = (
    *(_method, _segment, _query, _header, _header, _body, _content, _content, _content),
    *(_element, _chunks, _version),
)


def _with_a_change(draw: st.DrawFn, document: Any) -> Any:
    """Return a JSON document with one value changed, removed or added, at any depth."""
    if isinstance(document, dict) and document and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(document)))
        changed_ones = {**document, name: _with_a_change(draw, document[name])}
        if not draw(st.integers(0, 7)):
            del changed_ones[name]
        if not draw(st.integers(0, 7)):
            changed_ones[draw(st.sampled_from(("", "x", "\ud800", name.upper())))] = document[name]
        return changed_ones
    if isinstance(document, list) and document and draw(st.booleans()):
        return [_with_a_change(draw, document[0]), *document[1:]]
    return draw(st.sampled_from(VALUES))

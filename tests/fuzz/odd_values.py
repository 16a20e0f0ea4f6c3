"""Parts of HTTP requests that are unusual, malformed, or mean something else than they seem to."""

from __future__ import annotations

from typing import Any

Header = tuple[bytes, bytes]

METHODS = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"),
    *("get", "PROPFIND", "M-SEARCH", "X"),
)
VERSIONS = (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9", b"X", b"")
TEXTS = (
    *("", " ", ".", "..", "*", "$", "%", "%00", "%ff", "%C3%28", "%2F", "%2e%2e", "%ED%A0%80"),
    *("é", "\udcff", "\udc80abc", "null", "true", "0", "-1", "1e999", "9" * 30, "a" * 300),
    *("\u0661", "½", "²", "\x7f", "{}", "[]", "//", "a//b", "?", "a=b", "'", '"', "<a>", "&amp;"),
    *("%0d%0aX:%20y", "2**63", str(2**63), str(2**31), "\u2028", "İ", "ß", "%F0%9F%92%A9", "\\"),
)
# Of these a message's end follows: what they do to it is not known here.
FRAMING = (b"content-length", b"transfer-encoding", b"expect", b"connection", b"upgrade")
_CONTENT_TYPES = (
    *(b"", b"text/plain; charset=nonsense", b"text/plain; charset=utf-7", b"a/b; charset=\x80"),
    *(b"application/json; charset=utf-16", b"a/b; charset=rot13", b"a/b; charset=idna"),
    *(b"text/plain; a*=x; a*0=y", b"a/b; charset*=utf-8''%FF"),
    *(b"a/b; charset*0*=x; charset*1=y", b"a/b;" * 50, b'a/b; charset="', b"\xff\xfe"),
    *(b"multipart/form-data; boundary=x", b"a/b; charset=undefined", b"a/b; charset=punycode"),
    b"a/b; charset=a\xc3\xa9",
)
_TOKENS = (
    *(b"", b"Bearer", b"Bearer \xff", b"Bearer a.b.c", b"Bearer eyJhbGciOiJub25lIn0.e30."),
    *(b"Basic \xff", b"SharedAccessSignature sr=x"),
    b"SharedAccessSignature sr=%FF&sig=%FF&se=9&skn=\xff",
)
_VALUES: dict[bytes, tuple[bytes, ...]] = {
    b"Content-Type": _CONTENT_TYPES,
    b"Content-Encoding": (b"gzip", b"deflate", b"br", b"zstd", b"x, y"),
    b"Content-Length": (b"0", b"5", b"-1", b"+5", b"1_0", b"9" * 30, b""),
    b"Transfer-Encoding": (b"chunked", b"gzip, chunked", b"identity", b"x"),
    b"Expect": (b"100-continue", b"anything"),
    b"Connection": (b"close", b"upgrade", b"\xff"),
    b"Upgrade": (b"websocket", b"h2c"),
    b"Host": (b"localhost:99999", b"", b"[::1]", b"\xff"),
    b"Origin": (b"http://localhost", b"\xff"),
    b"Authorization": _TOKENS,
    b"ServiceBusSupplementaryAuthorization": (b"\xff",),
    b"Cookie": (b"a=\xff; =; b",),
    b"If-Match": (b"*",),
    b"If-Modified-Since": (b"x",),
    b"Range": (b"bytes=9-1",),
    b"Accept-Encoding": (b"gzip",),
    b"Accept": (b"\xff",),
    b"X-HTTP-Method-Override": (b"DELETE",),
    b"X-Forwarded-For": (b"1.1.1.1",),
    b"Metadata": (b"true",),
    b"x-ms-client-request-id": (b"\xff\xfe",),
    b"User-Agent": (b"\xff",),
    b"traceparent": (b"\xff",),
    b"webhook-id": (b"\xff",),
    b"webhook-timestamp": (b"9" * 400, b"nan", b"-1"),
    b"webhook-signature": (b"v1,\xff", b"v1a,AA=="),
    b"Idempotency-Key": (b'"\xff"', b"x" * 300),
    b"x-functions-key": (b"\xff",),
    **dict.fromkeys((b"", b"A B", b"\xff"), (b"x",)),
}
HEADERS: tuple[Header, ...] = tuple((name, one) for name, all_ in _VALUES.items() for one in all_)
BODIES = (
    *(b"", b"{", b"null", b"[]", b'""', b"0", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 3000),
    *(b'{"a":' * 3000, b'{"a":1,"a":2}', b'{"count":1e999}', b'{"value":NaN}', b"9" * 5000),
    *(b'"\\ud800"', b"\x00" * 9, '{"é": 1}'.encode("utf-16"), b"<a/>", b"<a>" * 3000),
    *(b"<!DOCTYPE a>", b"<?xml version='1.1'?><a/>", b"<a xmlns:b=''/>", b"<a>&#0;</a>"),
    b"<?xml version='1.0' encoding='nonsense'?><a/>",
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, 2**64, 10**30, 0.5, float("inf"), -0.0),
    *("", " ", "\ud800", "\x00", "é" * 200, "a" * 30_000, "P1Y", "AAAA", "=", "a" * 43, "RSA", "2"),
    *([], {}, [[]], [None], {"": ""}, {"\ud800": "\ud800"}, ["encrypt"] * 40, [{}]),
    {"a": {"b": []}},
)

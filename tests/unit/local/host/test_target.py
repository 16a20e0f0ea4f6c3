"""Paths as Kestrel reads them: aspnetcore, PathNormalizer, UrlDecoder and PathTokenizer."""

from __future__ import annotations

import pytest

from local.host.target import BadTargetError, path_of, segments


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/api/messages", "/api/messages"),
        ("/api/messages?code=%00&a=/../", "/api/messages"),
        ("/a%20b", "/a b"),
        ("/a+b", "/a+b"),
        ("/a%2Fb%2fc", "/a%2Fb%2fc"),
        ("/%41%2F%42", "/A%2FB"),
        ("/%252F", "/%2F"),
        ("/%c3%a4%E2%82%AC%F0%9F%91%8B", "/ä€👋"),
        ("/%C3", "/%C3"),
        ("/%c3%fF%41", "/%c3%fFA"),
        ("/%C3%28", "/%C3("),
        ("/%ED%A0%80", "/%ED%A0%80"),
        ("/%C0%80", "/%C0%80"),
        ("/%zz%4%", "/%zz%4%"),
        ("/%5c..%5C", "/\\..\\"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/../../etc", "/etc"),
        ("/a/..%2fb", "/a/..%2fb"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/..", "/"),
        ("/...", "/..."),
        ("//a", "//a"),
        ("//..", "/"),
        ("http://127.0.0.1:7071/a%20b?c", "/a b"),
        ("HTTP://127.0.0.1:7071", "/"),
        ("http://127.0.0.1:7071?c", "/"),
    ],
)
def test_a_path_is_decoded_and_made_plain(target: str, path: str) -> None:
    assert path_of(target, "127.0.0.1:7071") == path


@pytest.mark.parametrize(
    "target",
    ["/a%00", "/%00", "/a%2F%00b", "/ä", "*", "a", "", "127.0.0.1:80", "http://elsewhere/a"],
)
def test_a_malformed_path_is_refused(target: str) -> None:
    with pytest.raises(BadTargetError):
        path_of(target, "127.0.0.1:7071")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", []),
        ("/a", ["a"]),
        ("/a/", ["a"]),
        ("/a//", ["a", ""]),
        ("//a", ["", "a"]),
        ("/a//b", ["a", "", "b"]),
        ("//", [""]),
    ],
)
def test_only_the_last_slash_is_ignored(path: str, found: list[str]) -> None:
    assert segments(path) == found

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from local.key_vault.base64url import to_base64url
from local.key_vault.errors import KeyVaultError
from local.key_vault.paging import Entry, PageRequest, page, parse

ENTRIES = [Entry(f"{number:02}", {"number": number}) for number in range(30)]
URL = "https://v.example/secrets"


def numbers(query: dict[str, str]) -> tuple[list[object], str | None]:
    shown = page(ENTRIES, parse(query), URL, "7.4")
    values, link = shown["value"], shown["nextLink"]
    assert isinstance(values, list)
    assert link is None or isinstance(link, str)
    return [one["number"] for one in values], link


def followed(size: int) -> list[object]:
    found, link = numbers({"maxresults": str(size)})
    while link:
        assert link.startswith(f"{URL}?api-version=7.4&")
        more, link = numbers(dict(parse_qsl(urlsplit(link).query)))
        assert len(more) <= size
        found += more
    return found


@pytest.mark.parametrize("size", [1, 7, 15, 25])
def test_the_pages_together_are_the_list(size: int) -> None:
    assert followed(size) == list(range(30))


def test_a_page_has_25_entries_unless_fewer_are_wanted() -> None:
    assert len(numbers({})[0]) == 25
    assert page(ENTRIES[:25], PageRequest(), URL, "7.4")["nextLink"] is None


def test_a_page_goes_on_after_what_has_been_removed_meanwhile() -> None:
    _, link = numbers({})
    wanted = parse(dict(parse_qsl(urlsplit(str(link)).query)))
    rest = page([ENTRIES[3], *ENTRIES[26:]], wanted, URL, "7.4")
    assert rest["value"] == [entry.content for entry in ENTRIES[26:]]


@pytest.mark.parametrize(
    "query",
    [
        *({"maxresults": size} for size in ("0", "26", "-1", "x", "", "1.5", "9" * 99, "٣")),
        *({"$skiptoken": token} for token in ("", "x", "é", to_base64url(b"[]"), "AAAA")),
        {"$skiptoken": to_base64url(b'{"NextMarker": 1}')},
    ],
)
def test_other_parameters_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(KeyVaultError) as caught:
        parse(query)
    assert (caught.value.status, caught.value.code) == (400, "BadParameter")

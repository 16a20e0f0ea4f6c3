"""Access keys, on the apps themselves: each caller gets as far as in Azure, and no further.

The levels and their order are those of azure-functions-host (`AuthenticationLevelHandler`,
`SecretManager`), as seen on the real host.
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import pytest

from local.host.keys import AppKeys
from tests.pipeline.cloud_process import Running
from tests.pipeline.endpoints import APPS

FUNCTIONS = {
    ("sender", "POST", "/api/messages", "send"): 202,
    ("tracker", "GET", "/api/messages", "messages"): 200,
    ("tracker", "GET", "/api/messages/0b3d5b0e-6f5c-4a6e-8f2e-0b3d5b0e6f5c", "status"): 404,
}
ACCESS = "/api/access"


def keys_given(keys: AppKeys, other: AppKeys, function: str) -> Mapping[str, str | None]:
    return {
        "none": None,
        "wrong": "wrong",
        "the function's": keys.function(function),
        "another function's": keys.function("another"),
        "the host's": keys.host,
        "the master": keys.master,
        "another app's": other.master,
    }


async def asked(
    session: aiohttp.ClientSession, method: str, url: str, key: str | None, where: str
) -> tuple[int, bytes]:
    headers = {"x-functions-key": key} if key is not None and where != "code" else {}
    code = {"code": key} if key is not None and where != "header" else {}
    body = b"x" if method == "POST" else None
    async with session.request(method, url, headers=headers, params=code, data=body) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize("where", ["header", "code", "both"])
async def test_who_has_which_key_may_call_what(cloud: Running, where: str) -> None:
    async with aiohttp.ClientSession() as session:
        for (app, method, path, function), status in FUNCTIONS.items():
            url = cloud.endpoints[app] + path
            others = cloud.keys("receiver")
            for name, key in keys_given(cloud.keys(app), others, function).items():
                found = await asked(session, method, url, key, where)
                if name in {"the function's", "the host's", "the master"}:
                    assert found[0] == status, (app, path, name)
                    assert found[1]
                else:
                    assert found == (401, b""), (app, path, name)


@pytest.mark.parametrize("app", APPS)
async def test_the_access_of_an_app_is_for_the_master_key_and_its_health_for_all(
    cloud: Running, app: str
) -> None:
    other = cloud.keys("sender" if app == "tracker" else "tracker")
    async with aiohttp.ClientSession() as session:
        for name, key in keys_given(cloud.keys(app), other, "access").items():
            for where in ("header", "code"):
                health = await asked(
                    session, "GET", f"{cloud.endpoints[app]}/api/health", key, where
                )
                assert health[0] == 200, (name, where)
                if name != "the master":
                    url = f"{cloud.endpoints[app]}{ACCESS}"
                    assert await asked(session, "GET", url, key, where) == (401, b""), name
        url = f"{cloud.endpoints[app]}{ACCESS}"
        assert (await asked(session, "GET", url, cloud.keys(app).master, "header"))[0] == 200


async def test_the_header_hides_the_query(cloud: Running) -> None:
    keys, url = cloud.keys("tracker"), f"{cloud.endpoints['tracker']}/api/messages"
    async with aiohttp.ClientSession() as session:
        for header, code, status in (
            (keys.host, "wrong", 200),
            ("wrong", keys.host, 401),
            ("", keys.host, 401),
        ):
            headers = {"x-functions-key": header}
            async with session.get(url, headers=headers, params={"code": code}) as answer:
                assert answer.status == status


@pytest.mark.parametrize("app", APPS)
async def test_the_home_page_is_switched_off(cloud: Running, app: str) -> None:
    async with aiohttp.ClientSession() as session:
        assert await asked(session, "GET", f"{cloud.endpoints[app]}/", None, "header") == (204, b"")


async def test_keys_stay_what_they_are_and_show_nowhere(cloud: Running) -> None:
    before = {app: cloud.keys(app) for app in APPS}
    assert len({keys.root for keys in before.values()}) == 3
    for app in APPS:
        await cloud.control("POST", f"/apps/{app}/restart")
    async with cloud.session() as session:
        await cloud.send(session, b"x", "text/plain")
    assert {app: cloud.keys(app) for app in APPS} == before
    shown = cloud.logs() + cloud.folder.with_suffix(".output").read_text()
    for app, keys in before.items():
        environment = str(await cloud.environment(app)) + str(cloud.endpoints)
        for key in (keys.master, keys.host, keys.function("send"), keys.root.hex()):
            assert key not in shown
            assert key not in environment
        assert (cloud.folder / f"app-{app}.key").stat().st_mode & 0o777 == 0o600


async def test_a_page_of_another_origin_is_refused_everywhere(cloud: Running) -> None:
    urls = [str(cloud.endpoints[name]) for name in (*APPS, "partner", "control", "identity")]
    urls += cloud.endpoints["vaults"].values()
    async with cloud.session() as session:
        for url in urls:
            for origin in ("https://page.example", "null", "http://127.0.0.1:1"):
                async with session.get(url, headers={"Origin": origin}) as answer:
                    assert answer.status == 403, url


async def test_what_the_partner_received_takes_its_key(cloud: Running) -> None:
    async with cloud.session() as session:
        await cloud.received({await cloud.send(session, b"planted-payload", "text/plain")})
        wrong = {"Authorization": f"Bearer {cloud.keys('sender').master}"}
        for path in ("/received", "/received?ids"):
            url = f"{cloud.endpoints['partner']}{path}"
            async with session.get(url, headers=wrong) as answer:
                assert answer.status == 401
                assert "planted" not in await answer.text()
            async with session.get(url) as answer:
                assert answer.status == 200

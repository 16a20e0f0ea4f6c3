"""Two versions live: apps are replaced one by one, in every order and back, while messages flow.

The deployment is the new one throughout, since `azd up` applies it before it replaces any code. So
the code of before meets settings and rights that it does not know.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.settings.version import DEPLOYMENT_VERSION
from tests.faults.stream import Arrivals
from tests.faults.test_nothing_is_lost import drained, ledger
from tests.pipeline.cloud_process import ROOT, SNAPSHOT, Running, running
from tests.pipeline.endpoints import APPS
from tests.pipeline.waiting import until
from tests.upgrade import versions
from tests.upgrade.load import Load

pytestmark = pytest.mark.long

# Which app is replaced next, by its first letter: from all of one version to all of the other in
# every order, and back, without any step twice. A step is which app is replaced while which others
# are of which version: 12 steps, each forth and back.
ROUTE = "strrtsrtstsrtssrtsrrtsrt"
COMMON = {
    "receiver": {"RELAY_RETRY_SCHEDULE": ",".join(["1s"] * 60), "RELAY_WAIT_SECONDS": "1"},
    "tracker": {"RELAY_RECEIPT_WAIT_SECONDS": "1"},
}
LATER = {
    app: {
        "RELAY_DEPLOYMENT_VERSION": str(DEPLOYMENT_VERSION + 1),
        versions.LATER_SETTING: "2",
        **({} if app == "sender" else {"RELAY_FORMATS_ACCEPTED": f"1,{versions.LATER_FORMAT}"}),
        **({} if app == "tracker" else {"RELAY_FORMAT_EMITTED": str(versions.LATER_FORMAT)}),
    }
    for app in APPS
}


async def test_every_order_from_the_version_before_and_back_loses_and_rejects_nothing(
    tmp_path: Path,
) -> None:
    both = (versions.previous(tmp_path / "previous"), versions.this(tmp_path / "this"))
    is_new, steps = dict.fromkeys(APPS, True), set()
    with running(tmp_path / "cloud", deployment(tmp_path, COMMON)) as cloud:
        async with loaded(cloud) as load:
            for letter in ROUTE:
                (app,) = (one for one in APPS if one.startswith(letter))
                steps.add((app, *is_new.values()))
                is_new[app] = not is_new[app]
                await replace(load, [app], both[is_new[app]])
        await account(load)
    assert len(steps) == len(ROUTE) == 2 * 12
    assert all(is_new.values())


async def test_what_is_written_in_a_newer_format_waits_for_the_code_that_reads_it(
    tmp_path: Path,
) -> None:
    """This version is the one of before, under a deployment that lets the next one emit at once."""
    old, new = versions.this(tmp_path / "this"), versions.following(tmp_path / "next")
    settings = {app: COMMON.get(app, {}) | LATER[app] for app in APPS}
    with running(tmp_path / "cloud", deployment(tmp_path, settings)) as cloud:
        async with loaded(cloud) as load:
            await replace(load, ("sender", "receiver", "tracker"), new)
            await replace(load, ("tracker", "receiver", "sender"), old)
            await replace(load, ("receiver", "tracker", "sender"), new)
        await account(load)
        logs = {app: (cloud.folder / "logs" / f"{app}.log").read_text() for app in APPS}
    assert all(f"{versions.LATER_SETTING} is not a setting of this app" in logs[a] for a in APPS)
    newer = f"it has format {versions.LATER_FORMAT}, which is newer than this app accepts"
    assert newer in logs["receiver"]
    assert newer in logs["tracker"]


def deployment(folder: Path, settings: Mapping[str, Mapping[str, str]]) -> Path:
    """Write the usual snapshot with other settings, by app; give where."""
    document = json.loads((ROOT / "infra" / SNAPSHOT).read_text())
    for resource in document["predictedResources"]:
        if resource["type"] == "Microsoft.Web/sites":
            config = resource["properties"]["siteConfig"]
            values = {one["name"]: one["value"] for one in config["appSettings"]}
            values |= settings.get(values["RELAY_APP"], {})
            config["appSettings"] = [{"name": n, "value": value} for n, value in values.items()]
    path = folder / "changed.snapshot.json"
    path.write_text(json.dumps(document))
    return path


@asynccontextmanager
async def loaded(cloud: Running) -> AsyncIterator[Load]:
    """Let messages flow meanwhile, some of them by a retry or with a receipt that has to wait."""
    await cloud.fault(service="partner", answer="status", status=503, probability=0.1)
    await cloud.fault(service="bus", answer="full", queue="receipts", probability=0.1)
    load = Load(cloud)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        try:
            yield load
        finally:
            load.stop()
    await cloud.heal()


async def replace(load: Load, order: Sequence[str], package: Path) -> None:
    """Replace the code of one app after the other."""
    for app in order:
        load.restarts.begin(app)
        await load.cloud.control("PUT", f"/apps/{app}/package", str(package))
        await load.cloud.control("POST", f"/apps/{app}/restart")
        load.restarts.end(app)
        status = (await load.cloud.control("GET", "/status"))["apps"][app]
        assert (status["state"], status["package"]) == ("up", str(package))
        await some_more(load)


async def some_more(load: Load) -> None:
    """Wait until a few messages more are accepted, by this mix of versions."""
    before = len(load.sent)

    async def accepted() -> bool:
        return len(load.sent) >= before + 3

    await until(accepted, lambda: f"no message is accepted: {load.unexplained}")


async def account(load: Load) -> None:
    """Wait until nothing is on its way; what was accepted must be delivered, and recorded so."""
    cloud, arrivals = load.cloud, Arrivals(load.cloud)
    await drained(cloud)
    await arrivals.read()
    assert not await cloud.rejections()
    assert not load.unexplained
    assert len(load.sent) > 100
    assert arrivals.by_id.keys() == load.sent.keys()
    assert await ledger(cloud) == dict.fromkeys(load.sent, "delivered")
    arrived = [one for repeats in arrivals.by_id.values() for one in repeats]
    assert all(one.verified for one in arrived)
    assert {one.id: hashlib.sha256(one.body).hexdigest() for one in arrived} == load.sent

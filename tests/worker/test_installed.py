"""What is deployed is enough: the package, what its lock names, and Azure's worker library."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from tests.installing import install_worker, installed
from tests.pipeline.cloud_process import Running
from tests.worker.playing import app, main_job, stop_apps


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the installed package, and the folder of the worker's library."""
    beside = tmp_path_factory.mktemp("worker") / "packages"
    install_worker(beside)
    return installed(tmp_path_factory), beside


@pytest.mark.long
async def test_the_installed_apps_do_the_main_job(
    cloud: Running, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    package, beside = folders
    await stop_apps(cloud)
    async with app(cloud, package, "tracker", tmp_path / "log", beside) as worker:
        assert Path(worker.indexed["library"]).is_relative_to(beside)
        elsewhere = [m for m in worker.indexed["modules"] if not Path(m).is_relative_to(package)]
        python = sysconfig.get_path("stdlib")
        assert all(str(Path(module).parent) == python for module in elsewhere), elsewhere
    await main_job(cloud, package, tmp_path, beside)

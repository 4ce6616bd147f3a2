"""An archive on a real Ray: workers, nodes and drivers that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray", reason="needs ray")

import archive_workers  # noqa: E402
from archive_workers import FakeWorker  # noqa: E402

from cmsn_runtime.archive.driving import Driver, Progress  # noqa: E402
from cmsn_runtime.archive.identity import Stamp  # noqa: E402
from cmsn_runtime.archive.ray_crew import RayCrew  # noqa: E402
from cmsn_runtime.archive.stores import FolderStore  # noqa: E402
from cmsn_runtime.archive.working import Job, WorkSettings  # noqa: E402
from cmsn_runtime.errors import BackendError  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("ray"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes of one CPU each, on this machine."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    paths = {"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}
    ray.init(address=cluster.address, log_to_driver=False, runtime_env=paths)
    ray.cloudpickle.register_pickle_by_value(archive_workers)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def settings(place: Path, bundle: str = "fake") -> WorkSettings:
    return WorkSettings(place=str(place), bundle=bundle, backend="auto", threads=1, settings={})


def jobs(*names: str) -> list[Job]:
    return [Job(f"{index:032x}", Stamp(f"/videos/{name}.mp4", 100, "1")) for index, name in enumerate(names)]


def drive(place: Path, *names: str, size: int | None = None) -> Progress:
    with RayCrew(settings(place), address=None, size=size, gpus=0, open_worker=FakeWorker) as crew:
        return Driver(crew, FolderStore(place)).run(jobs(*names))


def results(place: Path) -> int:
    return len(list((place / "results").glob("*.json")))


def test_killed_workers_and_a_poison_video_cost_no_other(cluster: Any, tmp_path: Path) -> None:
    names = [f"v{number}" for number in range(12)]
    done = drive(tmp_path, *names, "once1", "poison", "broken")
    assert (done.done, done.deaths, done.left) == (13, 4, 0)
    assert results(tmp_path) == 13
    tried = (tmp_path / "tries.txt").read_text().split()
    assert tried.count("poison") == 3
    assert all(tried.count(name) == 1 for name in names)
    reasons = [json.loads(path.read_text())["reason"] for path in (tmp_path / "failed").iterdir()]
    assert len(reasons) == 2
    assert any("its worker died 3 times" in reason for reason in reasons)


def test_a_bundle_that_no_worker_can_open_is_one_line(cluster: Any, tmp_path: Path) -> None:
    with (
        RayCrew(settings(tmp_path, "damaged"), address=None, size=1, gpus=0, open_worker=FakeWorker) as crew,
        pytest.raises(BackendError, match="damaged: is no bundle"),
    ):
        Driver(crew, FolderStore(tmp_path)).run(jobs("v1"))


def test_more_gpus_than_there_are_are_refused(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"has 3 CPUs and 0 GPUs; a worker needs 1 and 0.5"):
        RayCrew(settings(tmp_path), address=None, size=None, gpus=0.5, open_worker=FakeWorker)


def test_a_node_that_is_lost_costs_nothing(cluster: Any, tmp_path: Path) -> None:
    names = [f"slow{number}-5" for number in range(18)]
    with RayCrew(settings(tmp_path), address=None, size=3, gpus=0, open_worker=FakeWorker) as crew:
        driver = Driver(crew, FolderStore(tmp_path), tell=lambda progress: lose(cluster, progress))
        done = driver.run(jobs(*names))
    assert (done.done, len(done.aside), results(tmp_path)) == (18, 0, 18)
    assert done.deaths >= 1


def lose(cluster: Any, progress: Progress) -> None:
    """Remove a node once a few are done."""
    if progress.done == 4 and len(cluster.worker_nodes) == 2:
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)


DRIVER = """
import os, sys
sys.path[:0] = {path!r}
import ray, archive_workers
from test_ray import drive
from pathlib import Path
paths = {{"env_vars": {{"PYTHONPATH": os.pathsep.join(sys.path)}}}}
ray.init(address=sys.argv[1], log_to_driver=False, runtime_env=paths)
ray.cloudpickle.register_pickle_by_value(archive_workers)
print("begun", flush=True)
drive(Path(sys.argv[2]), *sys.argv[3:], size=1)
"""


def test_a_driver_that_is_killed_goes_on_where_it_was(cluster: Any, tmp_path: Path) -> None:
    names = [f"slow{number}-3" for number in range(12)]
    program = tmp_path / "driver.py"
    program.write_text(DRIVER.format(path=[*sys.path, str(Path(__file__).parent)]))
    out = tmp_path / "out"
    with subprocess.Popen([sys.executable, program, cluster.address, out, *names], start_new_session=True) as driver:
        until = time.monotonic() + 60
        while results(out) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(driver.pid, signal.SIGKILL)
    before = results(out)
    assert 3 <= before < 12
    left = [job for job in jobs(*names) if not (out / f"results/{job.key}.json").exists()]
    with RayCrew(settings(out), address=None, size=1, gpus=0, open_worker=FakeWorker) as crew:
        done = Driver(crew, FolderStore(out)).run(left)
    assert done.done == len(left) <= 12 - before
    assert results(out) == 12

"""Workers that die, videos that kill them, several drivers at one place: one result per video in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from archive_workers import FakeWorker

from cmsn_runtime.archive.claims import Claims
from cmsn_runtime.archive.driving import Driver, Progress
from cmsn_runtime.archive.identity import Stamp
from cmsn_runtime.archive.local_crew import LocalCrew
from cmsn_runtime.archive.stores import FolderStore
from cmsn_runtime.archive.working import Job, WorkSettings
from cmsn_runtime.errors import BackendError


def settings(place: Path, bundle: str = "fake") -> WorkSettings:
    return WorkSettings(place=str(place), bundle=bundle, backend="auto", threads=1, settings={})


def jobs(*names: str) -> list[Job]:
    return [Job(f"{index:032x}", Stamp(f"/videos/{name}.mp4", 100 + index, "1")) for index, name in enumerate(names)]


def drive(place: Path, *names: str, workers: int = 2) -> Progress:
    with LocalCrew(settings(place), workers, open_worker=FakeWorker) as crew:
        return Driver(crew, FolderStore(place)).run(jobs(*names))


def results(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "results").glob("*.json"))


def tries(place: Path) -> list[str]:
    return (place / "tries.txt").read_text().split()


def test_every_video_has_a_result_and_a_poison_one_is_named(tmp_path: Path) -> None:
    names = [f"v{number}" for number in range(20)]
    done = drive(tmp_path, *names[:10], "poison", "broken", *names[10:])
    assert (done.done, done.deaths, done.left) == (20, 3, 0)
    assert len(results(tmp_path)) == 20
    assert tries(tmp_path).count("poison") == 3
    assert all(tries(tmp_path).count(name) == 1 for name in names), "no other is computed twice"
    records = [json.loads(path.read_text()) for path in (tmp_path / "failed").iterdir()]
    reasons = {record["video"]["address"]: record for record in records}
    assert reasons["/videos/poison.mp4"]["attempts"] == 3
    assert "killed by SIGKILL" in reasons["/videos/poison.mp4"]["reason"]
    assert reasons["/videos/broken.mp4"]["reason"] == "broken: is no video"


def test_a_worker_that_dies_once_costs_nobody_anything(tmp_path: Path) -> None:
    done = drive(tmp_path, *(f"once{number}" for number in range(4)), "v1", "v2")
    assert (done.done, done.deaths, len(done.aside)) == (6, 4, 0)
    assert len(results(tmp_path)) == 6


def test_the_longest_videos_come_first(tmp_path: Path) -> None:
    drive(tmp_path, "small", "middle", "large", workers=1)
    assert tries(tmp_path) == ["large", "middle", "small"]


def test_a_bundle_that_cannot_be_opened_ends_it_with_the_reason(tmp_path: Path) -> None:
    with (
        LocalCrew(settings(tmp_path, "damaged"), 1, open_worker=FakeWorker) as crew,
        pytest.raises(BackendError, match="damaged: is no bundle"),
    ):
        Driver(crew, FolderStore(tmp_path)).run(jobs("v1"))


def test_an_idle_worker_that_was_killed_is_replaced(tmp_path: Path) -> None:
    with LocalCrew(settings(tmp_path), 1, open_worker=FakeWorker) as crew:
        driver = Driver(crew, FolderStore(tmp_path))
        driver.run(jobs("v1"))
        crew._workers[0].process.kill()
        crew._workers[0].process.join()
        assert driver.run(jobs("v2")[:1]).done == 1


JOINED = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from archive_workers import FakeWorker
from cmsn_runtime.archive.claims import Claims
from cmsn_runtime.archive.driving import Driver
from cmsn_runtime.archive.identity import Stamp
from cmsn_runtime.archive.local_crew import LocalCrew
from cmsn_runtime.archive.stores import FolderStore
from cmsn_runtime.archive.working import Job, WorkSettings
if __name__ == "__main__":
    place = sys.argv[1]
    jobs = [Job(f"{{index:032x}}", Stamp(f"/videos/{{name}}.mp4", 100, "1")) for index, name in enumerate(sys.argv[2:])]
    store = FolderStore(Path(place))
    wanted = WorkSettings(place=place, bundle="fake", backend="auto", threads=1, settings={{}})
    with LocalCrew(wanted, 1, open_worker=FakeWorker) as crew, Claims(store, beat=0.2) as claims:
        done = Driver(crew, store, claims=claims).run(jobs)
    print(done.done, done.elsewhere, len(done.aside), done.left)
"""


def joined(tmp_path: Path, *names: str) -> subprocess.Popen[str]:
    program = tmp_path / "joined.py"
    program.write_text(JOINED.format(path=sys.path))
    command = [sys.executable, str(program), str(tmp_path / "out"), *names]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_of_three_drivers_that_share_a_place_one_is_killed_and_all_is_done(tmp_path: Path) -> None:
    names = [f"slow{number}-2" for number in range(24)] + ["poison"]
    drivers = [joined(tmp_path, *names) for _ in range(3)]
    out = tmp_path / "out"
    until = time.monotonic() + 60
    while len(results(out)) < 4 and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(drivers[0].pid, signal.SIGKILL)
    drivers[0].communicate()
    ended = [driver.communicate(timeout=90)[0].split() for driver in drivers[1:]]
    assert all(numbers[3] == "0" for numbers in ended), ended
    assert len(results(out)) == 24
    assert tries(out).count("poison") <= 4, "three, and one that died with its driver"
    twice = [name for name in names[:-1] if tries(out).count(name) > 1]
    assert len(twice) <= 1, "only what the killed driver was computing"
    assert [path.name for path in (out / "failed").iterdir()] == [f"{24:032x}.json"]


def test_a_claim_that_is_not_renewed_is_taken_over_by_one(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert store.create("claims/a.0.json", b"of a driver that died")
    os.utime(tmp_path / "claims/a.0.json", (0, 0))
    with Claims(store, beat=0.05) as first, Claims(store, beat=0.05) as second:
        won = []
        threads = [threading.Thread(target=lambda one=one: won.append(one.claim("a"))) for one in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False, True]
        time.sleep(0.6)
        assert not first.claim("a"), "it is renewed for as long as it is held"
        assert not second.claim("a")
    assert store.names("claims") == [], "given up at the end"

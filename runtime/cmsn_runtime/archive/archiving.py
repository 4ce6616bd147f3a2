"""`cmsn archive`: which videos lack a result, and who computes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cmsn_runtime.archive.claims import Claims
from cmsn_runtime.archive.crews import OpenCrew
from cmsn_runtime.archive.driving import Driver, Progress, Split
from cmsn_runtime.archive.identity import Stamp, key_of, stamp_of
from cmsn_runtime.archive.listing import is_remote
from cmsn_runtime.archive.records import SetAside, read_aside
from cmsn_runtime.archive.splitting.parts import Part, parts_of
from cmsn_runtime.archive.stores import Store, open_store
from cmsn_runtime.archive.working import Job, WorkSettings, setup_of
from cmsn_runtime.bundle_files import locate_bundle, read_manifest
from cmsn_runtime.errors import OutputError, SourceError

_RESULTS, _FAILED = "results", "failed"


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do. present: videos that have a result. aside: those that were set aside before, or cannot be
    read now. same: videos that are copies of another.
    """

    jobs: list[Job]
    present: int
    aside: list[SetAside]
    same: int


def plan_archive(
    addresses: Sequence[str],
    store: Store,
    settings: WorkSettings,
    *,
    again: bool = False,
) -> Plan:
    """Which of the videos to compute. again: those that were set aside are tried once more; their records are removed.

    A video whose path, size and time of change are in a result is known without reading it; another is read once.
    Raises OutputError, BundleError.
    """
    setup = setup_of(settings)
    known = {} if all(map(is_remote, addresses)) else _known(store, setup)
    results = {_key(name) for name in store.names(_RESULTS)}
    failed = {_key(name): name for name in store.names(_FAILED)}
    jobs: dict[str, Job] = {}
    aside: list[SetAside] = []
    present: set[str] = set()
    for address in addresses:
        try:
            stamp = stamp_of(address)
            key = known.get(stamp) or key_of(stamp, setup)
        except SourceError as error:
            aside.append(SetAside("", Stamp(address, 0, ""), str(error), 1))
            continue
        if key in results:
            present.add(key)
        elif key in failed and not again:
            content = store.read(f"{_FAILED}/{failed[key]}")
            if content is not None:
                aside.append(read_aside(content, name=f"{store.name}/{_FAILED}/{failed[key]}"))
        else:
            if key in failed:  # other drivers of the same place would take it for settled
                store.remove(f"{_FAILED}/{failed.pop(key)}")
            jobs.setdefault(key, Job(key, stamp))
    same = len(addresses) - len(jobs) - len(present) - len(aside)
    return Plan(list(jobs.values()), len(present), aside, same)


def run_archive(
    plan: Plan,
    settings: WorkSettings,
    open_crew: OpenCrew,
    *,
    join: bool,
    split_seconds: float | None = None,
    tell: Callable[[Progress], None],
) -> Progress:
    """Compute what is missing. join: other drivers work on the same place. split_seconds: longer videos in parts.

    Raises as Driver.run does.
    """
    if not plan.jobs:
        return Progress(0)
    store = open_store(settings.place)
    split = _splitting(settings, split_seconds)
    with open_crew(settings) as crew:
        if not join:
            return Driver(crew, store, split=split, tell=tell).run(plan.jobs)
        with Claims(store) as claims:
            return Driver(crew, store, claims=claims, split=split, tell=tell).run(plan.jobs)


def _splitting(settings: WorkSettings, seconds: float | None) -> Split:
    """What divides a video; each is looked at once."""
    manifest = read_manifest(locate_bundle(settings.bundle))
    known: dict[str, list[Part]] = {}

    def split(job: Job) -> list[Part]:
        if seconds is None:
            return []
        if job.key not in known:
            known[job.key] = parts_of(job.stamp.address, manifest, seconds)
        return known[job.key]

    return split


def _known(store: Store, setup: dict[str, object]) -> dict[Stamp, str]:
    """Videos of the results with this setup -> their keys."""
    known = {}
    wanted = json.loads(json.dumps(setup))
    for name in store.names(_RESULTS):
        content = store.read(f"{_RESULTS}/{name}")
        if content is None:
            continue
        try:
            values = json.loads(content)  # a hundred thousand of them: no more is looked at than is needed
            if values["setup"] == wanted:
                known[Stamp(**values["video"])] = str(values["key"])
        except (ValueError, KeyError, TypeError) as error:
            raise OutputError(f"{store.name}/{_RESULTS}/{name}: is no result of cmsn archive; remove it") from error
    return known


def _key(name: str) -> str:
    return name.removesuffix(".json")

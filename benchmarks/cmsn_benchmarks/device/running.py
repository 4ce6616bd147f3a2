"""A whole run of `cmsn bench`: the machine, the bundle, and one child process per backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version

from cmsn_benchmarks.device.child_process import Measured, measure_in_child
from cmsn_benchmarks.device.child_settings import ChildSettings
from cmsn_benchmarks.device.conditions import conditions
from cmsn_benchmarks.device.facts import machine_facts
from cmsn_benchmarks.device.figures import FORMAT, BackendFigures, BenchReport, BundleFacts
from cmsn_runtime.backends.registry import AUTO, backend_names
from cmsn_runtime.bundle_files import locate_bundle, name_of, read_manifest_file
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.reading import parse_manifest


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be measured. command: as the user gave it. settings: those of each child; its backend is replaced."""

    command: str
    backends: tuple[str, ...]
    settings: ChildSettings


def run_bench(run: Run, collect: Callable[[BenchReport], None]) -> BenchReport:
    """Measure everything. collect: gets the report so far after each backend, and when the run is stopped.

    Raises BundleError, SettingsError for an unknown backend; Stopped as in `run_source`.
    """
    check_backends(run.backends)
    machine = machine_facts()
    report = BenchReport(
        format=FORMAT,
        cmsn=version("cmsn"),
        began=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=run.command,
        machine=machine,
        bundle=bundle_facts(run.settings.bundle),
        settings=run.settings.bench,
        backends=(),
        notes=conditions(machine),
    )
    for name in run.backends:
        measured = Measured(name)
        try:
            measure_in_child(replace(run.settings, backend=name, begun=time.monotonic()), measured)
        except BaseException:
            measured.note("the run was stopped")
            collect(_with(report, measured.figures()))
            raise
        report = _with(report, measured.figures())
        collect(report)
    return report


def check_backends(names: Sequence[str]) -> None:
    """Raise SettingsError unless all are known."""
    known = [AUTO, *backend_names()]
    wrong = [name for name in names if name.partition(":")[0] not in known]
    if wrong or not names:
        given = ", ".join(wrong) or "none"
        raise SettingsError(f"--backend has {given}; name one or more of {', '.join(known)}, with commas between them")


def bundle_facts(bundle: str) -> BundleFacts:
    """Of a bundle's manifest. Raises BundleError."""
    import hashlib

    folder = locate_bundle(bundle)
    raw = read_manifest_file(folder)
    manifest = parse_manifest(raw, bundle=name_of(folder))
    return BundleFacts(
        name=manifest.name,
        sha256=hashlib.sha256(raw).hexdigest(),
        width=manifest.network.width,
        input_shape=manifest.input_shape,
        rate=float(manifest.grid.fps),
        hop_frames=manifest.grid.stride,
    )


def _with(report: BenchReport, figures: BackendFigures) -> BenchReport:
    return replace(report, backends=(*report.backends, figures))

"""What two runs do not have in common, so that their figures differ for other reasons than the one looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from cmsn_benchmarks.device.figures import BackendFigures, BenchReport
from cmsn_runtime.checking import shown

# Of the moment, not of the machine.
_MOMENTARY = ("memory.used", "utilization", "temperature", "clocks.sm", "clocks.mem", "load")
_MOST = 60  # characters of a value


def warnings_of(first: BenchReport, second: BenchReport) -> list[str]:
    """One line for each difference in the bundle, settings, machine or version."""
    return [*_bundle(first, second), *_settings(first, second), *_machine(first, second)]


def backend_warnings(first: BackendFigures, second: BackendFigures) -> Iterator[str]:
    """The same for two backends that are compared."""
    if first.backend != second.backend:
        yield f"the backends differ: {first.backend} and {second.backend}"
    if first.multi_stream and second.multi_stream and first.multi_stream.cameras != second.multi_stream.cameras:
        yield f"multi-stream had {first.multi_stream.cameras} and {second.multi_stream.cameras} cameras"
    if first.first_result and second.first_result and first.first_result.cold != second.first_result.cold:
        yield "the caches of compiled code were empty in one run only: the times to the first result differ by it"
    if first.sustained and second.sustained:
        for name in ("rate", "limit", "picture"):
            mine, other = getattr(first.sustained, name), getattr(second.sustained, name)
            if mine != other:
                yield f"the live cameras differ: {name} {mine} and {other}"


def _bundle(first: BenchReport, second: BenchReport) -> Iterator[str]:
    if first.bundle.sha256 != second.bundle.sha256:
        names = f"{first.bundle.name} (sha256 {first.bundle.sha256[:12]}...)"
        others = f"{second.bundle.name} (sha256 {second.bundle.sha256[:12]}...)"
        yield f"the bundles differ: {names} and {others}; the figures are those of different networks"


def _settings(first: BenchReport, second: BenchReport) -> Iterator[str]:
    for name, mine, other in _changed(asdict(first.settings), asdict(second.settings)):
        yield f"the settings differ: {name} {mine} and {other}"


def _machine(first: BenchReport, second: BenchReport) -> Iterator[str]:
    if first.cmsn != second.cmsn:
        yield f"the versions of cmsn differ: {first.cmsn} and {second.cmsn}"
    for name, mine, other in _changed(_flat(first.machine), _flat(second.machine)):
        if not any(word in name for word in _MOMENTARY):
            yield f"the machines differ: {name} {mine} and {other}"


def _changed(first: Mapping[str, object], second: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Name and both values of what differs; "-" where one has none."""
    for name in dict.fromkeys([*first, *second]):
        if first.get(name) != second.get(name):
            yield name, _worded(first.get(name)), _worded(second.get(name))


def _worded(value: object) -> str:
    return "-" if value is None else value if isinstance(value, str) else shown(value, most=_MOST)


def _flat(value: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """The values of an object, each by the names that lead to it."""
    found: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            found.update(_flat(item, f"{prefix}{name} "))
        else:
            found[prefix + name] = item
    return found

"""What the table of `cmsn bench` says, as texts: sections of rows with a cell for each backend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cmsn_benchmarks.device.figures import BackendFigures, BenchReport, CameraLoad, Latency, Sustained
from cmsn_benchmarks.device.named_figures import (
    CAMERAS,
    FIRST_RESULT,
    MEMORY,
    MULTI_STREAM,
    SENSORS,
    SINGLE_STREAM,
)
from cmsn_benchmarks.device.parts import NETWORKS, PARTS
from cmsn_benchmarks.device.table_rows import Backends, Row, best_of, figure_rows, text_rows
from cmsn_benchmarks.device.wording import count_of, per_second, significant, worded


@dataclass(frozen=True, slots=True)
class Section:
    """Rows below a title, which says what was measured."""

    title: str
    rows: tuple[Row, ...]


def sections(report: BenchReport) -> list[Section]:
    """All sections in which at least one backend has a figure."""
    backends = report.backends
    found = (
        Section("One camera as fast as it goes, hop after hop (single-stream)", tuple(_single_stream(report))),
        Section("Where the time of such a hop goes: p50, p99, share of the whole", tuple(_parts(backends))),
        Section(_film_title(backends), tuple(_decoding(backends))),
        Section(_multi_title(backends), tuple(figure_rows(MULTI_STREAM, backends))),
        Section(_live_title(backends), tuple(_live(backends))),
        Section("From the start of a process to its first result", tuple(_first_result(backends))),
        Section("Memory", tuple(figure_rows(MEMORY, backends))),
        Section("Sensors, while measuring", tuple(_sensors(backends))),
        Section(
            "Share of what this machine could do at best, and what limits it (roofline)", tuple(_roofline(backends))
        ),
        Section("Against FP32: largest error of the features; AR@N that the bundle states", tuple(_costs(backends))),
    )
    return [section for section in found if section.rows]


def _single_stream(report: BenchReport) -> Iterator[Row]:
    def times(each: BackendFigures) -> str | None:
        found = each.single_stream
        return None if found is None else worded(found.frames_per_second / report.bundle.rate, "x")

    yield from figure_rows(SINGLE_STREAM, report.backends)
    yield from text_rows(f"times real time ({report.bundle.rate:g} fps)", report.backends, times)


def _parts(backends: Backends) -> Iterator[Row]:
    for part in PARTS:
        label = f"{part} (network)" if part in NETWORKS else part

        def cell(each: BackendFigures, part: str = part) -> str | None:
            scenario = each.single_stream
            if scenario is None or part not in scenario.parts:
                return None
            found = scenario.parts[part]
            share = 100 * found.mean / scenario.latency.mean
            return f"{significant(found.p50):>5} {significant(found.p99):>5} ms {share:3.0f} %"

        yield from text_rows(label, backends, cell)


def _film_title(backends: Backends) -> str:
    found = next((each.decoding for each in backends if each.decoding is not None), None)
    if found is None:
        return ""
    return f"Before a hop, per frame of {found.picture}: p50, p99, share of the time at {found.rate:g} fps"


def _decoding(backends: Backends) -> Iterator[Row]:
    def cell(found: Latency, rate: float) -> str:
        share = 100 * found.mean / 1e3 * rate
        return f"{significant(found.p50):>5} {significant(found.p99):>5} ms {share:3.0f} %"

    def decode(each: BackendFigures) -> str | None:
        return None if each.decoding is None else cell(each.decoding.decode, each.decoding.rate)

    def convert(each: BackendFigures) -> str | None:
        return None if each.decoding is None else cell(each.decoding.convert, each.decoding.rate)

    def flow(each: BackendFigures) -> str | None:
        found = each.decoding
        return None if found is None or found.flow is None else cell(found.flow, found.rate)

    yield from text_rows("decode", backends, decode)
    yield from text_rows("convert to the bundle's size", backends, convert)
    yield from text_rows("optical flow, in the stream", backends, flow)


def _multi_title(backends: Backends) -> str:
    cameras = next((each.multi_stream.cameras for each in backends if each.multi_stream is not None), 0)
    return f"{count_of(cameras, 'camera')}, a hop of each at once, hop after hop (multi-stream)"


def _live_title(backends: Backends) -> str:
    found = next((each.sustained for each in backends if each.sustained is not None), None)
    if found is None:
        return ""
    limit = worded(found.limit, "ms")
    return f"Live cameras at {found.rate:g} fps, {found.picture}: p99 of frame-to-event at most {limit} (server)"


def _live(backends: Backends) -> Iterator[Row]:
    def load(each: BackendFigures) -> CameraLoad | None:
        return None if each.sustained is None else load_sustained(each.sustained)

    def cores(each: BackendFigures) -> str | None:
        found = load(each)
        return None if found is None else worded(found.cores, "cores")

    def memory(each: BackendFigures) -> str | None:
        found = load(each)
        return None if found is None else worded(found.megabytes, "MB")

    for row in text_rows(CAMERAS.label, backends, lambda each: _cameras(each.sustained)):
        yield Row(row.label, row.cells, best_of([CAMERAS.of(each) for each in backends], CAMERAS))
    yield from text_rows("  their frame-to-event p99", backends, lambda each: _frame_to_event(load(each)))
    yield from text_rows("  their CPU cores in use", backends, cores)
    yield from text_rows("  their memory", backends, memory)
    yield from text_rows("too many", backends, lambda each: _too_many(each.sustained))


def load_sustained(found: Sustained) -> CameraLoad | None:
    """The load with the most cameras that fit; None where not even one fits."""
    return next((load for load in found.loads if load.fits and load.cameras == found.most), None)


def _cameras(found: Sustained | None) -> str | None:
    """ "19"; "19 to 21" where the search ended before 20; "19 or more" where nothing it tried was too many."""
    if found is None or found.exact:
        return None if found is None else f"{found.most}"
    failed = min((load.cameras for load in found.loads if not load.fits), default=None)
    if failed is None:
        return f"{found.most} or more"
    return f"{found.most} to {failed - 1}"


def _frame_to_event(load: CameraLoad | None) -> str | None:
    """An upper bound, or that it is beyond the last one."""
    if load is None or "p99" not in load.frame_to_event:
        return None
    bound = load.frame_to_event["p99"]
    return "over 5 s" if bound is None else f"<= {worded(bound, 'ms')}"


def _too_many(found: Sustained | None) -> str | None:
    """The fewest cameras that did not fit, and why not."""
    loads = () if found is None else found.loads
    failed = min((load for load in loads if not load.fits), key=lambda load: load.cameras, default=None)
    if found is None or failed is None:
        return None
    if failed.left_out:
        return f"{failed.cameras}: frames lost"
    bound = failed.frame_to_event.get("p99")
    if bound is not None and bound <= found.limit:  # what came was in time, but not all came
        return f"{failed.cameras}: {failed.frames_per_second:.1f} fps each"
    return f"{failed.cameras}: {_frame_to_event(failed)}"


def _first_result(backends: Backends) -> Iterator[Row]:
    def caches(each: BackendFigures) -> str | None:
        found = each.first_result
        return None if found is None else "empty" if found.cold else "filled"

    yield from figure_rows(FIRST_RESULT, backends)
    yield from text_rows("caches of compiled code", backends, caches)


def _sensors(backends: Backends) -> Iterator[Row]:
    def throttled(each: BackendFigures) -> str | None:
        found = None if each.sensors is None else each.sensors.throttled
        return None if found is None else "yes" if found else "no"

    def power_of(each: BackendFigures) -> str | None:
        return None if each.sensors is None else each.sensors.power_of

    yield from figure_rows(SENSORS, backends)
    yield from text_rows("power is that of the", backends, power_of)
    yield from text_rows("slowed down by heat or power", backends, throttled)


def _roofline(backends: Backends) -> Iterator[Row]:
    names = dict.fromkeys(name for each in backends if each.roofline is not None for name in each.roofline.networks)
    for name in names:

        def share(each: BackendFigures, name: str = name) -> str | None:
            limit = None if each.roofline is None else each.roofline.networks.get(name)
            return None if limit is None else f"{worded(limit.share, 'share')} ({limit.bound})"

        yield from text_rows("all three, one hop" if name == "whole" else name, backends, share)

    yield from _ceilings(backends)


def _ceilings(backends: Backends) -> Iterator[Row]:
    """What a matrix product reached in each precision, and a copy."""
    found = [each.roofline.ceilings for each in backends if each.roofline is not None]
    for precision in dict.fromkeys(name for ceilings in found for name in ceilings.products):

        def operations(each: BackendFigures, precision: str = precision) -> str | None:
            ceiling = None if each.roofline is None else each.roofline.ceilings.products.get(precision)
            return None if ceiling is None else per_second(ceiling.operations_per_second, "OP")

        yield from text_rows(f"ceiling of {precision}, measured", backends, operations)

    def nbytes(each: BackendFigures) -> str | None:
        return None if each.roofline is None else per_second(each.roofline.ceilings.bytes_per_second, "B")

    yield from text_rows("ceiling of memory, measured", backends, nbytes)


def _costs(backends: Backends) -> Iterator[Row]:
    """The error measured in this run, and what `cmsn calibrate` has written into the bundle."""
    yield from text_rows("relative error", backends, _error)
    yield from text_rows("average recall", backends, _recall)


def _recall(each: BackendFigures) -> str | None:
    found = None if each.quality is None else each.quality.recall
    return None if found is None else f"{found.percent:.1f} of {found.full_precision:.1f} %"


def _error(each: BackendFigures) -> str | None:
    return None if each.error is None else f"{each.error:.1e}"

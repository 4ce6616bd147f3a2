"""Figures for Prometheus: counters, histograms and gauges per camera. docs/outputs.md lists them."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import get_args

from cmsn_runtime.errors import MissingExtraError
from cmsn_runtime.events import Event, StreamEvent
from cmsn_runtime.live.meters import Tally
from cmsn_runtime.live.status import LAG_BOUNDS, CameraState, CameraStatus

try:
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.registry import Collector

    from cmsn_runtime.serving.outputs import Outputs, output_metrics
except ImportError as error:
    raise MissingExtraError("prometheus_client", "live", "the page of live cameras") from error

_DELAY_SECONDS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0)

_COUNTS: tuple[tuple[str, str, Callable[[CameraStatus], float]], ...] = (
    ("cmsn_frames", "Frames that were processed.", lambda camera: camera.frames),
    ("cmsn_left_out_frames", "Frames that were left out because the machine is too slow.", lambda c: c.left_out),
    ("cmsn_losses", "Times that the connection was lost.", lambda camera: camera.losses),
    ("cmsn_returns", "Times that the connection came back.", lambda camera: camera.returns),
    ("cmsn_gaps", "Times that frames were left out of the stream.", lambda camera: camera.gaps),
    ("cmsn_overloads", "Times that it was cut because the machine is too slow.", lambda camera: camera.overloads),
)
_LEVELS: tuple[tuple[str, str, Callable[[CameraStatus], float]], ...] = (
    ("cmsn_waiting_frames", "Frames that have arrived and are not processed yet.", lambda camera: camera.waiting),
    ("cmsn_oldest_waiting_seconds", "How long the oldest of these has waited.", lambda camera: camera.lag_seconds),
    ("cmsn_frames_per_second", "Frames per second, of the last seconds.", lambda c: c.frames_per_second),
    ("cmsn_camera_state_changed_timestamp_seconds", "POSIX time of the newest change of state.", lambda c: c.since),
)


class Metrics(Collector):
    """A registry of its own. Of a camera that was removed, nothing is reported any more.

    Counts that the fleet keeps are read from its states; those of events are counted here, from any thread. outputs:
    those beside the page, as they are now.
    """

    def __init__(self) -> None:
        self.outputs: Outputs = dict
        self._cameras: Sequence[CameraStatus] = ()
        self._events: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._delays: defaultdict[str, Tally] = defaultdict(partial(Tally, _DELAY_SECONDS))
        self._wall_delays: defaultdict[str, Tally] = defaultdict(partial(Tally, _DELAY_SECONDS))
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def look(self, cameras: Sequence[CameraStatus]) -> None:
        """Take the newest states, and forget the cameras that are no longer among them."""
        gone = {each.name for each in self._cameras} - {each.name for each in cameras}
        self._cameras = cameras
        if gone:
            self._forget(gone)

    def count(self, camera: str, event: StreamEvent) -> None:
        """Count a report."""
        with self._lock:
            self._events[camera, event.kind] += 1
            if not isinstance(event, Event) or event.kind != "final" or event.rank > 1:
                return
            end = event.proposal.end
            self._delays[camera].count(float(event.seconds - end))
            if event.stamp is not None and event.stamp.clock is not None:
                self._wall_delays[camera].count(event.wall - event.stamp.clock.at(end))

    def exposition(self) -> bytes:
        """All figures, in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """For the registry: what the fleet and the reports say now."""
        cameras = self._cameras
        for name, text, value in _COUNTS:
            yield _filled(CounterMetricFamily(name, text, labels=["camera"]), cameras, value)
        for name, text, value in _LEVELS:
            yield _filled(GaugeMetricFamily(name, text, labels=["camera"]), cameras, value)
        lag = HistogramMetricFamily("cmsn_lag_seconds", "From arrival of a frame to its end.", labels=["camera"])
        for each in cameras:
            lag.add_metric([each.name], _buckets(LAG_BOUNDS, each.lags), each.lag_sum)
        yield lag
        state = GaugeMetricFamily("cmsn_camera_state", "1 for the state it is in.", labels=["camera", "state"])
        for each in cameras:
            for name in get_args(CameraState):
                state.add_metric([each.name, name], float(each.state == name))
        yield state
        events = CounterMetricFamily("cmsn_events", "Reports by kind.", labels=["camera", "kind"])
        delay = HistogramMetricFamily(
            "cmsn_event_delay_seconds", "Stream time from an action's end to its final report.", labels=["camera"]
        )
        wall_delay = HistogramMetricFamily(
            "cmsn_event_wall_delay_seconds", "Time of day from an action's end to its final report.", labels=["camera"]
        )
        with self._lock:
            for (camera, kind), count in sorted(self._events.items()):
                events.add_metric([camera, kind], count)
            for family, tallies in ((delay, self._delays), (wall_delay, self._wall_delays)):
                for camera, tally in sorted(tallies.items()):
                    family.add_metric([camera], _buckets(_DELAY_SECONDS, tally.counts), tally.sum)
        yield from (events, delay, wall_delay)
        yield from output_metrics(self.outputs)

    def _forget(self, cameras: set[str]) -> None:
        with self._lock:
            for name in cameras:
                self._delays.pop(name, None)
                self._wall_delays.pop(name, None)
            for key in [key for key in self._events if key[0] in cameras]:
                del self._events[key]


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """As Prometheus has them: how many are within each bound."""
    return list(zip([*map(str, bounds), "+Inf"], accumulate(counts), strict=True))


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily,
    cameras: Sequence[CameraStatus],
    value: Callable[[CameraStatus], float],
) -> Metric:
    for each in cameras:
        family.add_metric([each.name], value(each))
    return family

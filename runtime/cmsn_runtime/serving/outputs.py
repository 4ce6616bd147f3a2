"""What is known of the outputs beside the page: where clips are, what waits, what was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from cmsn_runtime.clips.sink import ClipSink
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.threaded import ThreadedSink

Outputs = Callable[[], Mapping[str, Sink | None]]  # by name; none in place of one that has failed


def clip_folders(outputs: Outputs) -> list[Path]:
    """The folders into which clips are saved."""
    return [sink.folder for sink in map(_inner, outputs().values()) if isinstance(sink, ClipSink)]


def output_metrics(outputs: Outputs) -> Iterator[Metric]:
    """For Prometheus."""
    up = GaugeMetricFamily("cmsn_output_up", "1 while it works, 0 after it has failed.", labels=["output"])
    waiting = GaugeMetricFamily("cmsn_output_waiting", "What waits for a slow output.", labels=["output"])
    left_out = CounterMetricFamily(
        "cmsn_output_left_out", "What was left out because the output is too slow.", labels=["output", "kind"]
    )
    clips = CounterMetricFamily("cmsn_clips", "Clips by what became of them.", labels=["output", "result"])
    for name, sink in outputs().items():
        up.add_metric([name], float(sink is not None))
        if isinstance(sink, ThreadedSink):
            waiting.add_metric([name], sink.waiting)
            for kind, count in sorted(sink.lost.items()):
                left_out.add_metric([name, kind], count)
        inner = _inner(sink)
        if isinstance(inner, ClipSink):
            for result, count in sorted(inner.counts.items()):
                clips.add_metric([name, result], count)
    yield from (up, waiting, left_out, clips)


def _inner(sink: Sink | None) -> Sink | None:
    return sink.inner if isinstance(sink, ThreadedSink) else sink

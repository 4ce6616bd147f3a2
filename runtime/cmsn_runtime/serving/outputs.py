"""What is known of the outputs beside the page: where clips are, what waits, what was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from cmsn_runtime.clips.sink import ClipSink
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.delivery.status import DeliveryStatus
from cmsn_runtime.sinks.threaded import ThreadedSink

Outputs = Callable[[], Mapping[str, Sink | None]]  # by name; none in place of one that has failed


def clip_folders(outputs: Outputs) -> list[Path]:
    """The folders into which clips are saved."""
    return [sink.folder for sink in map(_inner, outputs().values()) if isinstance(sink, ClipSink)]


def output_metrics(outputs: Outputs) -> Iterator[Metric]:
    """For Prometheus. It may wait for a disk."""
    found = outputs()
    up = GaugeMetricFamily("cmsn_output_up", "1 while it works, 0 after it has failed.", labels=["output"])
    for name, sink in found.items():
        up.add_metric([name], float(sink is not None))
    yield up
    yield from _of_threads({name: sink for name, sink in found.items() if isinstance(sink, ThreadedSink)})
    inner = {name: _inner(sink) for name, sink in found.items()}
    yield _of_clips({name: sink for name, sink in inner.items() if isinstance(sink, ClipSink)})
    statuses = {name: getattr(sink, "status", None) for name, sink in inner.items()}
    yield from _of_deliveries({name: each for name, each in statuses.items() if isinstance(each, DeliveryStatus)})


def _of_threads(sinks: Mapping[str, ThreadedSink]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("cmsn_output_waiting", "What waits in memory for a slow output.", labels=["output"])
    left_out = CounterMetricFamily(
        "cmsn_output_left_out", "What was left out because the output is too slow.", labels=["output", "kind"]
    )
    for name, sink in sinks.items():
        waiting.add_metric([name], sink.waiting)
        for kind, count in sorted(sink.lost.items()):
            left_out.add_metric([name, kind], count)
    yield from (waiting, left_out)


def _of_clips(sinks: Mapping[str, ClipSink]) -> Metric:
    clips = CounterMetricFamily("cmsn_clips", "Clips by what became of them.", labels=["output", "result"])
    for name, sink in sinks.items():
        for result, count in sorted(sink.counts.items()):
            clips.add_metric([name, result], count)
    return clips


def _of_deliveries(statuses: Mapping[str, DeliveryStatus]) -> Iterator[Metric]:
    label = ["output"]
    reachable = GaugeMetricFamily("cmsn_receiver_reachable", "1 if the last attempt succeeded.", labels=label)
    waiting = GaugeMetricFamily("cmsn_spool_events", "What waits on the disk for the receiver.", labels=label)
    size = GaugeMetricFamily("cmsn_spool_bytes", "Its size.", labels=label)
    delivered = CounterMetricFamily("cmsn_delivered_events", "What the receiver has acknowledged.", labels=label)
    refused = CounterMetricFamily("cmsn_refused_events", "What it has refused for good.", labels=label)
    lost = CounterMetricFamily("cmsn_spool_lost_events", "What had no room on the disk.", labels=["output", "kind"])
    for name, status in statuses.items():
        reachable.add_metric([name], float(status.reachable))
        waiting.add_metric([name], status.waiting)
        size.add_metric([name], status.waiting_bytes)
        delivered.add_metric([name], status.delivered)
        refused.add_metric([name], status.refused)
        for kind, count in sorted(status.lost.items()):
            lost.add_metric([name, kind], count)
    yield from (reachable, waiting, size, delivered, refused, lost)


def _inner(sink: Sink | None) -> Sink | None:
    return sink.inner if isinstance(sink, ThreadedSink) else sink

"""Figures for Prometheus: names, kinds, labels, and what goes with a camera."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from served_page import TOKEN, event, notice, served, status

from cmsn_runtime.clips.sink import ClipSettings, ClipSink
from cmsn_runtime.serving.metrics import Metrics
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.delivery.status import DeliveryStatus
from cmsn_runtime.sinks.threaded import ThreadedSink

Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(metrics: Metrics) -> Samples:
    """(name, values of the labels) -> value."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name, tuple(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_fleets_counts_are_counters_per_camera() -> None:
    metrics = Metrics()
    metrics.look([status("door", frames=7, losses=2, returns=1, gaps=3, overloads=4, left_out=50), status("hall")])
    found = samples(metrics)
    assert found["cmsn_frames_total", ("door",)] == 7 and found["cmsn_frames_total", ("hall",)] == 100
    assert found["cmsn_losses_total", ("door",)] == 2
    assert found["cmsn_returns_total", ("door",)] == 1
    assert found["cmsn_gaps_total", ("door",)] == 3
    assert found["cmsn_overloads_total", ("door",)] == 4
    assert found["cmsn_left_out_frames_total", ("door",)] == 50


def test_the_state_is_one_of_all_and_levels_are_gauges() -> None:
    metrics = Metrics()
    metrics.look([status("door", state="lost", since=123.0, waiting=4, lag_seconds=0.5, frames_per_second=12.5)])
    found = samples(metrics)
    states = {key[1][1]: value for key, value in found.items() if key[0] == "cmsn_camera_state"}
    assert states == {"opening": 0, "running": 0, "lost": 1, "ended": 0}
    assert found["cmsn_camera_state_changed_timestamp_seconds", ("door",)] == 123.0
    assert found["cmsn_waiting_frames", ("door",)] == 4
    assert found["cmsn_oldest_waiting_seconds", ("door",)] == 0.5
    assert found["cmsn_frames_per_second", ("door",)] == 12.5


def test_the_lag_is_a_histogram_of_every_frame() -> None:
    metrics = Metrics()
    metrics.look([status("door")])
    found = samples(metrics)
    assert found["cmsn_lag_seconds_count", ("door",)] == 100
    assert found["cmsn_lag_seconds_sum", ("door",)] == 4.0
    assert found["cmsn_lag_seconds_bucket", ("door", "0.05")] == 90


def test_reports_are_counted_by_kind_and_finals_by_their_delay() -> None:
    metrics = Metrics()
    for each in (event("provisional"), event("revised"), event("revised"), event("final"), event("final", rank=2)):
        metrics.count("door", each)
    metrics.count("door", notice("source_lost", "gone"))
    found = samples(metrics)
    kinds = {key[1][1]: value for key, value in found.items() if key[0] == "cmsn_events_total"}
    assert kinds == {"provisional": 1, "revised": 2, "final": 2, "source_lost": 1}
    assert found["cmsn_event_delay_seconds_sum", ("door",)] == pytest.approx(4)
    assert found["cmsn_event_wall_delay_seconds_sum", ("door",)] == pytest.approx(5)
    assert found["cmsn_event_delay_seconds_count", ("door",)] == 1
    assert found["cmsn_event_delay_seconds_bucket", ("door", "3.0")] == 0
    assert found["cmsn_event_delay_seconds_bucket", ("door", "4.0")] == 1


def test_of_a_camera_that_was_removed_nothing_is_left() -> None:
    metrics = Metrics()
    metrics.look([status("door"), status("hall")])
    for camera in ("door", "hall"):
        metrics.count(camera, event())
    metrics.look([status("hall")])
    text = metrics.exposition().decode()
    assert "door" not in text and 'cmsn_events_total{camera="hall",kind="final"} 1.0' in text


def test_a_camera_that_was_removed_before_any_event_leaves_no_fault() -> None:
    metrics = Metrics()
    metrics.look([status("door")])
    metrics.look([])
    assert "door" not in metrics.exposition().decode()


def test_the_process_is_measured_too_and_two_pages_do_not_share_their_figures() -> None:
    first, second = Metrics(), Metrics()
    first.count("door", event())
    found = samples(first)
    pages = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[21])
    assert found["process_resident_memory_bytes", ()] > 1e6 or not pages  # an emulated kernel does not tell
    assert ("process_cpu_seconds_total", ()) in found
    assert "door" not in second.exposition().decode()


def test_prometheus_gets_them_with_the_token() -> None:
    with served(status(), token=TOKEN) as page:
        page.sink.event("door", event())
        answer = page.ask("/metrics", Authorization=f"Bearer {TOKEN}")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b'cmsn_events_total{camera="door",kind="final"} 1.0' in answer.body


class Delivering(Sink):
    """An output with a receiver."""

    status = DeliveryStatus("mqtt", False, 7, 900, 20, 1, {"provisional": 3})


def test_receivers_are_measured_with_their_spools() -> None:
    metrics = Metrics()
    metrics.outputs = lambda: {"broker": Delivering()}
    found = samples(metrics)
    assert found["cmsn_receiver_reachable", ("broker",)] == 0
    assert (found["cmsn_spool_events", ("broker",)], found["cmsn_spool_bytes", ("broker",)]) == (7, 900)
    assert found["cmsn_delivered_events_total", ("broker",)] == 20
    assert found["cmsn_refused_events_total", ("broker",)] == 1
    assert found["cmsn_spool_lost_events_total", ("provisional", "broker")] == 3


def test_outputs_are_measured_with_those_that_failed(tmp_path: Path) -> None:
    metrics = Metrics()
    clips = ClipSink(ClipSettings(folder=str(tmp_path)), tmp_path, site="lab")
    clips.counts.update(saved=3, missing=1)
    with ThreadedSink(clips) as threaded:
        metrics.outputs = lambda: {"clips": threaded, "mqtt": None}
        found = samples(metrics)
    assert found["cmsn_output_up", ("clips",)] == 1 and found["cmsn_output_up", ("mqtt",)] == 0
    assert found["cmsn_output_waiting", ("clips",)] == 0
    assert found["cmsn_clips_total", ("clips", "saved")] == 3 and found["cmsn_clips_total", ("clips", "missing")] == 1

"""A real tritonserver with the models of a bundle: equal events, batches, and what happens when it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from triton_server import TritonServer

from cmsn_runtime.backends.answering import WorkTogether
from cmsn_runtime.backends.asks import Extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.triton.backend import TritonBackend
from cmsn_runtime.backends.triton.kserve import address_from
from cmsn_runtime.backends.triton.models import ServingSettings
from cmsn_runtime.backends.triton.repository import write_repository
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_manifest
from cmsn_runtime.errors import BackendError
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.pictures.example import moving_picture
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.site import tuned
from cmsn_runtime.streams.stream import Stream

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("triton")]

CAMERAS = 8


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo bundle's."""
    folder = tmp_path_factory.mktemp("triton") / "models"
    write_repository(DEMO_BUNDLE, folder, ServingSettings(batch=CAMERAS, delay_ms=20, threads=1), plans={})
    return folder


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[TritonServer]:
    """One server for the tests that leave it alone."""
    with TritonServer(repository, repository.parent / "log.txt") as server:
        yield server


def film(seed: int, seconds: int = 12) -> list[Frame]:
    """Frames of a moving picture that grows brighter and darker."""
    pictures = moving_picture(np.random.default_rng(seed), (48, 64), 25 * seconds)
    return [Frame(picture, Fraction(index, 25)) for index, picture in enumerate(pictures)]


def alone(bundle: Bundle, frames: list[Frame]) -> list[StreamEvent]:
    with bundle.stream(min_score=0.0) as stream:
        return [event for frame in frames for event in stream.push(frame)] + stream.flush()


def together(bundle: Bundle, films: list[list[Frame]]) -> list[list[StreamEvent]]:
    """All cameras in step, as a fleet drives them."""
    streams = [bundle.stream(min_score=0.0) for _ in films]
    found: list[list[StreamEvent]] = [[] for _ in films]
    work: WorkTogether[int, list[StreamEvent]] = WorkTogether(bundle.backend)

    def run(step: int | None) -> None:
        ended: dict[int, list[StreamEvent] | Exception] = {}
        for index, stream in enumerate(streams):
            ended.update(work.begin(index, stream.ending() if step is None else stream.steps(films[index][step])))
        while work.pending:
            ended.update(work.answer())
        for index, events in ended.items():
            assert not isinstance(events, Exception), events
            found[index] += events

    for step in range(len(films[0])):
        run(step)
    run(None)
    for stream in streams:
        stream.close()
    return found


def described(events: list[StreamEvent]) -> list[str]:
    return [str(event) for event in events]


def test_events_of_eight_cameras_equal_local_ones_and_are_computed_in_batches(server: TritonServer) -> None:
    films = [film(seed) for seed in range(CAMERAS)]
    with open_bundle(backend="onnxruntime", threads=1) as local, open_bundle(backend=server.backend) as remote:
        assert remote.backend.name.startswith("Triton 2.")
        expected = [described(alone(local, frames)) for frames in films]
        found = [described(events) for events in together(remote, films)]
    assert found == expected
    assert server.largest_batch("demo_extractor") > 1


def test_one_camera_more_than_there_are_sequences_is_one_line_in_time(server: TritonServer) -> None:
    manifest = read_manifest(DEMO_BUNDLE)
    address = address_from(server.backend.removeprefix("triton:"))
    with TritonBackend(manifest, address, timeout=2.0) as backend:
        streams = [_stream(backend) for _ in range(CAMERAS + 1)]
        frames = film(0, seconds=1)
        for stream in streams[:-1]:
            for frame in frames[:9]:
                stream.push(frame)
        begin = time.monotonic()
        with pytest.raises(BackendError, match="no answer within 2 s; more cameras than the server has sequences for"):
            for frame in frames[:9]:
                streams[-1].push(frame)
        assert time.monotonic() - begin < 10
        for stream in streams:
            stream.close()
        with _stream(backend) as stream:  # the others have ended: there is room again
            for frame in frames[:9]:
                stream.push(frame)


def _stream(backend: TritonBackend) -> Stream:
    manifest = read_manifest(DEMO_BUNDLE)
    tuning = tuned(manifest.proposals, manifest.tracking, {})
    bundle = Bundle(DEMO_BUNDLE, manifest, backend, tuning=tuning, sha256="", backend_name="triton")
    bundle._warm = True
    return bundle.stream()


def test_a_server_that_is_killed_and_started_again_costs_a_segment(repository: Path, tmp_path: Path) -> None:
    frames, log = film(1, seconds=8), tmp_path / "log.txt"
    with (
        TritonServer(repository, log) as server,
        open_bundle(backend=server.backend) as bundle,
        bundle.stream() as stream,
    ):
        for frame in frames[:100]:
            stream.push(frame)
        server.kill()
        with pytest.raises(BackendError, match="check that the server runs"):
            for frame in frames[100:110]:
                stream.push(frame)
        stream.flush()
        with TritonServer(repository, log, port=server.port) as again:
            for frame in frames[110:]:
                stream.push(frame)
            stream.flush()
            assert again.statistics("demo_extractor")["inference_count"] >= 10


def test_a_server_that_ended_an_idle_camera_says_so(server: TritonServer) -> None:
    manifest = read_manifest(DEMO_BUNDLE)
    with TritonBackend(manifest, address_from(server.backend.removeprefix("triton:"))) as backend:
        state = backend.new_state()
        state.begun = True  # as far as this client knows
        chunk = np.zeros((8, *backend.input_shape), np.uint8)
        with pytest.raises(BackendError, match="START"):
            backend.extract([Extract(chunk, state, 8, UNKNOWN_LENGTH)])
        state.close()


def test_after_the_ends_of_its_sequences_the_server_stops_soon(repository: Path, tmp_path: Path) -> None:
    with TritonServer(repository, tmp_path / "log.txt") as server:
        with open_bundle(backend=server.backend) as bundle:
            threads = [threading.Thread(target=alone, args=(bundle, film(seed, seconds=2))) for seed in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert server.stop() < 5

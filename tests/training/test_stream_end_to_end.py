"""The whole pipeline over the torch backend: chunks do not matter, segments start anew, nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch")

import torch

from cmsn_runtime.backends.asks import Stages
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.host_window import HostWindow, on_host
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.events import Event, Notice, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted
from cmsn_runtime.streams.stream import Stream, StreamSettings
from cmsn_training.config import parse_config
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.incremental import DELAY_STEPS, receptive_field_frames
from cmsn_training.torch_backend import TorchBackend

CONFIG = parse_config(
    {
        "data": {"videos": ".", "annotations": "."},
        "model": {"width": 1 / 32, "lstm_hidden": 12, "evaluator_hidden": 16},
        "preprocessing": {"resize": [32, 32], "crop": [32, 32], "scale": 1 / 64},
    },
    origin="test",
)


class ThermometerBackend(TorchBackend):
    """The real extractor and evaluator of an untrained network; stages follow how strong the features are.

    Features of a picture that grows brighter and darker walk up and down, and so do the stages: many actions,
    some of them out of order, and each decided by real features.
    """

    def __init__(self, model: CMSN) -> None:
        super().__init__(model)
        extractor = StreamingExtractor(self, stride=8, delay_steps=DELAY_STEPS)
        features = extracted((frame.pixels for frame in frames(2000, seed=9)), extractor, self)
        strength = np.concatenate([on_host(part) for part in features]).mean(axis=1)
        self._marks = np.quantile(strength, np.linspace(0, 1, 13)[1::2])

    def stages(self, asks: Sequence[Stages]) -> list[npt.NDArray[np.float32]]:
        return [self._read_off(own(ask.window, HostWindow)) for ask in asks]

    def _read_off(self, window: HostWindow) -> npt.NDArray[np.float32]:
        distance = np.abs(window.features.mean(axis=1)[:, None] - self._marks[None, :])
        weights = np.exp(-distance / distance.mean())
        probabilities: npt.NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return probabilities


@pytest.fixture(scope="module")
def backend() -> ThermometerBackend:
    torch.manual_seed(3)
    return ThermometerBackend(CMSN(CONFIG))


def open_stream(backend: ThermometerBackend, *, steps: list[StageStep] | None = None, **changes: int) -> Stream:
    settings = StreamSettings(
        grid=CONFIG.time_grid(),
        preprocessing=CONFIG.picture(),
        delay_steps=DELAY_STEPS,
        receptive_field_frames=receptive_field_frames(),
        **changes,  # type: ignore[arg-type]
    )
    return Stream(backend, settings, on_step=None if steps is None else steps.append)


def frames(count: int, *, fps: Fraction = Fraction(25), seed: int = 0, start: Fraction = Fraction(0)) -> list[Frame]:
    rng = np.random.default_rng(seed)
    times = np.arange(count) / 25
    levels = 90 + 50 * np.sin(times) + 30 * np.sin(2.7 * times + seed)
    noise = rng.integers(0, 60, (count, 32, 32, 3))
    pictures = np.clip(levels[:, None, None, None] + noise, 0, 255).astype(np.uint8)
    return [Frame(picture, start + index / fps) for index, picture in enumerate(pictures)]


def run(stream: Stream, video: list[Frame]) -> list[StreamEvent]:
    return [event for frame in video for event in stream.push(frame)] + stream.flush()


def finals(events: list[StreamEvent]) -> list[Event]:
    return [event for event in events if event.kind == "final"]


@pytest.mark.parametrize("chunk", [16, 40, 768])
def test_chunks_give_the_same_final_proposals(backend: ThermometerBackend, chunk: int) -> None:
    video = frames(1203)
    expected = finals(run(open_stream(backend), video))
    actual = finals(run(open_stream(backend, chunk_frames=chunk), video))
    assert len(expected) > 5
    assert [(e.proposal.start, e.proposal.end) for e in actual] == [
        (e.proposal.start, e.proposal.end) for e in expected
    ]
    assert [e.proposal.score for e in actual] == pytest.approx([e.proposal.score for e in expected], abs=1e-4)


def test_every_step_is_reported_once_and_in_order(backend: ThermometerBackend) -> None:
    steps: list[StageStep] = []
    run(open_stream(backend, steps=steps), frames(803))
    assert [step.seconds for step in steps] == [Fraction(8 * index, 25) for index in range(101)]


def test_nothing_is_proposed_beyond_the_last_frame(backend: ThermometerBackend) -> None:
    events = run(open_stream(backend), frames(803))
    assert max(e.proposal.end for e in events if isinstance(e, Event)) <= Fraction(803, 25)


def test_a_gap_settles_everything_and_starts_anew(backend: ThermometerBackend) -> None:
    first, second = frames(400), frames(400, seed=1, start=Fraction(60))
    events = run(open_stream(backend), first + second)
    resets = [index for index, event in enumerate(events) if event.kind == "reset"]
    assert len(resets) == 1
    reset = events[resets[0]]
    assert isinstance(reset, Notice)
    assert "44.040" in reset.reason
    alone = finals(run(open_stream(backend), second))
    after = finals(events[resets[0] :])
    assert [event.proposal for event in after] == [event.proposal for event in alone]


def test_a_flushed_stream_can_be_used_again(backend: ThermometerBackend) -> None:
    stream = open_stream(backend)
    once = finals(run(stream, frames(400)))
    again = finals(run(stream, frames(400)))
    assert [event.proposal for event in again] == [event.proposal for event in once]
    assert again[0].action > once[-1].action


def test_every_reported_action_ends_as_final_or_withdrawn(backend: ThermometerBackend) -> None:
    events = run(open_stream(backend), frames(1600, seed=4))
    told = {event.action for event in events if event.kind == "provisional"}
    ended = {event.action for event in events if event.kind in ("final", "withdrawn")}
    assert told
    assert told <= ended


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
def test_very_short_videos_run_to_the_end(backend: ThermometerBackend, count: int) -> None:
    steps: list[StageStep] = []
    run(open_stream(backend, steps=steps), frames(count))
    assert len(steps) == -(-count // 8)


def test_hops_longer_than_half_a_window_are_refused(backend: ThermometerBackend) -> None:
    with pytest.raises(SettingsError, match="a hop has 49"):
        open_stream(backend, hop_steps=49)

"""What is shown of the newest stages before they are settled."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.events import StagePreview, StageStep
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.sinks.threaded import ThreadedSink
from cmsn_runtime.stages import Stage

GREEN = np.full((16, 16, 3), (0, 250, 0), np.uint8)  # the tiny bundle's Start


class Looking(Sink):
    wants_previews = True

    def __init__(self) -> None:
        self.got: list[StagePreview] = []

    def preview(self, source: str, preview: StagePreview) -> None:
        self.got.append(preview)


class Blind(Looking):
    wants_previews = False


def test_each_hop_previews_the_stages_that_are_not_settled_and_once(tiny_bundle: Path) -> None:
    steps: list[StageStep] = []
    previews: list[StagePreview] = []
    with open_bundle(tiny_bundle, backend="onnxruntime") as bundle, bundle.stream(on_step=steps.append) as stream:
        assert stream.take_preview() is None
        for index in range(8 * 60):
            stream.push(Frame(GREEN, index / bundle.grid.fps))
            if (preview := stream.take_preview()) is not None:
                previews.append(preview)
                assert stream.take_preview() is None
        length, window = bundle.grid.step_seconds, bundle.grid.window
    assert len(previews) > 50
    for number, preview in enumerate(previews, start=1):
        assert len(preview.stages) == min(number, window // 2)
        assert preview.seconds == (number - len(preview.stages)) * length
        assert set(preview.stages.tolist()) <= {Stage.START, Stage.BACKGROUND}
    assert steps[-1].seconds + length == previews[-1].seconds  # it continues what is settled, without a gap


def test_only_sinks_that_want_previews_get_them_with_a_thread_or_without() -> None:
    looking, blind, threaded = Looking(), Blind(), Looking()
    outlets = Outlets([blind])
    assert not outlets.wants_previews
    for sink in (looking, ThreadedSink(threaded)):
        outlets.add(sink)
    assert outlets.wants_previews
    outlets.preview("door", StagePreview(Fraction(1), np.zeros(3, np.uint8)))
    outlets.close()
    assert (len(looking.got), len(blind.got), len(threaded.got)) == (1, 0, 1)

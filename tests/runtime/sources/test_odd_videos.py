"""Real videos that are awkward or broken."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import decoded_by_pyav, increasing

from cmsn_runtime.errors import CmsnError
from cmsn_runtime.pictures.fitting import Scaler
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources.video import VideoSource

ODD = Path(__file__).resolve().parents[4] / "shared" / "data" / "odd"
ODD_FILES = sorted(path for path in ODD.rglob("*") if path.is_file())


def test_all_shared_odd_videos_are_present(shared: Path) -> None:
    assert len([path for path in ODD_FILES if shared in path.parents]) > 60


@pytest.mark.parametrize("path", ODD_FILES, ids=lambda path: str(path.relative_to(ODD)))
def test_every_odd_video_ends_in_frames_or_in_one_line(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    frames: list[Frame] = []
    scaled = Scaler((32, 40))
    dropped = 0
    try:
        with VideoSource(str(path)) as source:
            for frame in source:
                assert scaled(frame).shape == (32, 40, 3)
                frames.append(Frame(np.empty((0, 40, 3), np.uint8), frame.seconds, frame.discontinuity))
            dropped = source.losses.untimed
    except CmsnError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        assert not frames
    else:
        raw = decoded_by_pyav(path)
        # An AVI has only DTS; what FFmpeg has as the PTS of its frames is a guess, and late.
        stamps = {
            stamp * frame.time_base
            for frame in raw
            for stamp in ((frame.pts, 0) if path.suffix == ".avi" else (frame.pts,))
            if stamp is not None
        }
        times = [frame.seconds for frame in frames]
        assert times
        assert increasing(times)
        assert not any(frame.discontinuity for frame in frames)
        assert set(times) <= {Fraction(stamp) for stamp in stamps}
        assert len(times) + dropped == len(raw)
        assert dropped <= 3
    assert capfd.readouterr() == ("", "")

"""Raw frames from a file or a pipe."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import numbered, read

from cmsn_runtime.errors import UnusableSourceError
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.order import has_no_end


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    path = tmp_path / "frames:1.rgb"
    path.write_bytes(b"".join(picture.tobytes() for picture in numbered(5)))
    return path


def test_frames_have_the_times_of_their_rate_and_their_own_pixels(frames: Path) -> None:
    found = read(f"raw:64x48@12.5:{frames}")
    assert [frame.seconds for frame in found] == [Fraction(2 * n, 25) for n in range(5)]
    assert all(np.array_equal(frame.pixels, shown) for frame, shown in zip(found, numbered(5), strict=True))


def test_another_pixel_format_is_named_after_the_rate(frames: Path) -> None:
    (first, *_) = read(f"raw:192x48@30000/1001,gray:{frames}")
    assert first.pixels.shape == (48, 192, 3)


@pytest.mark.parametrize("address", ["raw:64x48", "raw:64:-", "raw:64x48@:-"])
def test_another_form_is_an_error_that_shows_the_right_one(address: str) -> None:
    with pytest.raises(UnusableSourceError, match=r"such as raw:640x480@25,rgb24:-"):
        open_source(address)


def test_standard_input_is_a_camera_and_a_file_is_none(frames: Path) -> None:
    assert has_no_end("raw:64x48@10:-")
    assert not has_no_end(f"raw:64x48@10:{frames}")

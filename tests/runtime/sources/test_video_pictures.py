"""Pictures of every pixel format come out upright, and in RGB."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import decoded_by_pyav, pictures, read, write_clip

from cmsn_runtime.pictures.fitting import Fitting, Scaler
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.sources.opening import open_source

DECORD = "dmlc+decord/tests/test_data"


@pytest.mark.parametrize(
    ("pixel_format", "codec"),
    [
        ("yuv420p10le", "ffv1"),
        ("yuva420p", "ffv1"),
        ("gbrp16le", "ffv1"),
        ("yuv411p", "ffv1"),
        ("bgra", "ffv1"),
        ("pal8", "png"),
    ],
)
def test_every_pixel_format_becomes_rgb(tmp_path: Path, pixel_format: str, codec: str) -> None:
    colour = np.full((48, 64, 3), (200, 80, 40), dtype=np.uint8)
    if pixel_format == "pal8":
        clip = _palette_clip(tmp_path / "a.mov", (200, 80, 40))
    else:
        clip = write_clip(tmp_path / "a.mkv", [colour] * 2, codec=codec, pixel_format=pixel_format)
    assert decoded_by_pyav(clip)[0].format.name == pixel_format
    for frame in read(clip):
        assert frame.pixels.dtype == np.uint8
        np.testing.assert_allclose(frame.pixels, colour, atol=4)


def test_grey_becomes_grey(tmp_path: Path) -> None:
    grey = np.full((48, 64, 3), 90, dtype=np.uint8)
    clip = write_clip(tmp_path / "a.mkv", [grey], codec="ffv1", pixel_format="gray")
    np.testing.assert_allclose(read(clip)[0].pixels, grey, atol=2)


@pytest.mark.parametrize("size", [None, (20, 30)])
@pytest.mark.parametrize(
    "matrix",
    [
        (1, 0, 0, 1),
        (0, 1, -1, 0),
        (-1, 0, 0, -1),
        (0, -1, 1, 0),
        (-1, 0, 0, 1),
        (1, 0, 0, -1),
        (0, 1, 1, 0),
        (0, -1, -1, 0),
    ],
)
def test_all_eight_display_matrices_come_out_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], size: tuple[int, int] | None
) -> None:
    """Stored pictures are converted and scaled, then turned: both by the same conversion, so they are equal."""
    plain = write_clip(tmp_path / "plain.mp4", pictures(1))
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(_with_matrix(plain.read_bytes(), matrix))
    frame, stored = read(turned)[0], read(plain)[0]
    if size is None:
        pixels, expected = frame.pixels, stored.pixels
    else:
        transposed = matrix[0] == 0
        pixels, expected = Scaler(size)(frame), Scaler(size[::-1] if transposed else size)(stored)
        assert pixels.shape == (*size, 3)
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, _mapped(expected, matrix))


@pytest.mark.parametrize("name", ["video_0.mov", "video_90.mov", "video_180.mov", "video_270.mov"])
def test_videos_of_phones_come_out_as_ffmpeg_says(shared: Path, name: str) -> None:
    path = shared / "data/odd" / DECORD / name
    raw = decoded_by_pyav(path)
    frames = read(path)
    assert len(frames) == len(raw) == 3
    for frame, stored in zip(frames, raw, strict=True):
        # FFmpeg's angle is counter-clockwise, as rot90's turns are.
        upright = np.rot90(stored.to_ndarray(format="rgb24"), stored.rotation // 90)
        np.testing.assert_array_equal(frame.pixels, upright)


@pytest.mark.parametrize(
    "name",
    [
        "Zulko+moviepy/media/big_buck_bunny_432_433.webm",
        "Zulko+moviepy/media/fire2.mp4",
        "dmlc+decord/examples/flipping_a_pancake.mkv",
        f"{DECORD}/video_90.mov",
    ],
)
def test_scaling_while_converting_equals_scaling_afterwards(shared: Path, name: str) -> None:
    """Within two levels: at full size FFmpeg's fast converters round, and take chroma, as each processor does it best;
    between x86-64 and Arm alone they are about one level apart. Scaled pictures are the same on both.
    """
    path = shared / "data/odd" / name
    wanted = Preprocessing(resize=(128, 171), crop=(112, 112))
    fitting = Fitting(wanted)
    with open_source(path) as source:
        for frame, _ in zip(source, range(10), strict=False):
            at_once, afterwards = fitting(frame).values(), fitting(Frame(frame.pixels, frame.seconds)).values()
            assert at_once.shape == (112, 112, 3)
            assert np.abs(afterwards.astype(int) - at_once).mean() < 2


def _with_matrix(mp4: bytes, matrix: tuple[int, int, int, int]) -> bytes:
    """Write a display matrix into the header of the first track (ISO 14496-12, tkhd)."""
    a, b, c, d = matrix
    cells = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    begin = mp4.index(b"tkhd") + 4 + 40
    return mp4[:begin] + np.array(cells, dtype=">i4").tobytes() + mp4[begin + 36 :]


def _mapped(picture: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Move every pixel (x, y) to (a x + c y, b x + d y), then to where no coordinate is negative."""
    a, b, c, d = matrix
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    to_x, to_y = a * x + c * y, b * x + d * y
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    result = np.zeros((to_y.max() + 1, to_x.max() + 1, 3), dtype=np.uint8)
    result[to_y, to_x] = picture
    return result


def _palette_clip(path: Path, colour: tuple[int, int, int]) -> Path:
    palette = np.zeros((256, 4), dtype=np.uint8)
    palette[7] = (255, *colour)
    frame = av.VideoFrame.from_ndarray((np.full((48, 64), 7, dtype=np.uint8), palette), format="pal8")  # type: ignore[arg-type]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "pal8"
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path

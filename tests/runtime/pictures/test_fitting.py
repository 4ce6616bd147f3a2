"""Resize, centre crop, and what is refused."""

from __future__ import annotations

import pickle
from fractions import Fraction
from zlib import crc32

import av
import numpy as np
import numpy.typing as npt
import pytest

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.decoded import DecodedFrame
from cmsn_runtime.pictures.fitting import Fitting, Scaler
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.settings import Preprocessing

C3D = Preprocessing(resize=(128, 171), crop=(112, 112))


def frame(pixels: np.ndarray) -> Frame:
    return Frame(pixels, Fraction(0))


def fit(picture: Frame) -> npt.NDArray[np.uint8]:
    return Fitting(C3D)(picture).values()


def random_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def patterned_picture(pixel_format: str) -> av.VideoFrame:
    """640x360 with detail everywhere, of whole numbers alone."""
    picture = av.VideoFrame(640, 360, pixel_format)
    for number, plane in enumerate(picture.planes):
        y, x = np.mgrid[: plane.height, : plane.line_size]
        values = x * x // (7 + number) + y * (3 + number) + x * y // (11 + number)
        plane.update((values % 220 + 16).astype(np.uint8).tobytes())
    return picture


def test_a_picture_of_the_right_size_is_only_cropped() -> None:
    picture = random_picture(128, 171)
    crop = fit(frame(picture))
    assert crop.flags.c_contiguous
    np.testing.assert_array_equal(crop, picture[8:120, 29:141])


def test_resizing_a_linear_ramp_gives_a_linear_ramp() -> None:
    ramp = np.broadcast_to(np.linspace(0, 250, 342)[None, :, None], (256, 342, 3)).astype(np.uint8)
    crop = fit(frame(ramp))
    expected = np.linspace(0, 250, 171)[29:141]
    assert crop.shape == (112, 112, 3)
    np.testing.assert_allclose(crop, np.broadcast_to(expected[None, :, None], crop.shape), atol=2)


def test_any_aspect_ratio_is_stretched_to_the_size_of_the_model() -> None:
    tall = np.zeros((400, 100, 3), dtype=np.uint8)
    tall[200:, :, 0] = 200
    crop = fit(frame(tall))
    assert crop[:50, :, 0].max() == 0
    assert crop[62:, :, 0].min() == 200
    assert crop[..., 1:].max() == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 500), (1080, 1920)])
def test_any_size_can_be_resized(size: tuple[int, int]) -> None:
    crop = fit(frame(np.full((*size, 3), (10, 120, 250), dtype=np.uint8)))
    np.testing.assert_allclose(crop, np.broadcast_to([10, 120, 250], crop.shape), atol=1)


def test_one_preprocessor_takes_sizes_in_any_order() -> None:
    fitting = Fitting(C3D)
    for size in ((480, 640), (90, 160), (480, 640)):
        picture = frame(random_picture(*size))
        np.testing.assert_array_equal(fitting(picture).values(), fit(picture))


@pytest.mark.parametrize(
    ("pixel_format", "size", "checksum"),
    [
        ("yuv420p", (128, 171), 4032613381),
        ("yuv420p", (48, 64), 1364858824),
        ("nv12", (128, 171), 802552871),
        ("nv12", (48, 64), 2572058919),
    ],
)
def test_scaled_pictures_are_the_same_on_every_processor(
    pixel_format: str, size: tuple[int, int], checksum: int
) -> None:
    """Computed on x86-64: on Arm a bundle sees the pictures that it was trained on, to the last bit."""
    decoded = DecodedFrame(patterned_picture(pixel_format), Fraction(0))
    assert crc32(Scaler(size)(decoded).data) == checksum


def test_array_views_are_fitted_like_their_copies() -> None:
    picture = random_picture(240, 320)
    mirrored = picture[:, ::-1]
    np.testing.assert_array_equal(fit(frame(mirrored)), fit(frame(mirrored.copy())))


def test_a_frame_that_is_fitted_is_not_fitted_again() -> None:
    fitted = Fitting(C3D)(frame(random_picture(240, 320)))
    assert fitted.values() is fitted.values()


@pytest.mark.parametrize("size", [(240, 320), (128, 171), (112, 112)])
def test_changing_an_array_afterwards_does_not_change_its_crop(size: tuple[int, int]) -> None:
    """Also where the picture has the very size, and a view of it would do."""
    fitting = Fitting(Preprocessing(resize=size, crop=size) if size == (112, 112) else C3D)
    pixels = random_picture(*size)
    fitted, expected = fitting(frame(pixels)), fitting(frame(pixels.copy())).values()
    pixels[:] = 0
    np.testing.assert_array_equal(fitted.values(), expected)


@pytest.mark.parametrize(
    ("pixels", "named"),
    [
        (np.zeros((48, 64, 3), dtype=np.float32), "float32"),
        (np.zeros((48, 64), dtype=np.uint8), r"\[48, 64\]"),
        (np.zeros((48, 64, 4), dtype=np.uint8), r"\[48, 64, 4\]"),
        (np.zeros((3, 48, 64), dtype=np.uint8), r"\[3, 48, 64\]"),
        (np.zeros((0, 64, 3), dtype=np.uint8), r"\[0, 64, 3\]"),
        ([[0, 0, 0]], "list"),
    ],
)
def test_arrays_that_are_not_pictures_are_refused(pixels: object, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Fitting(C3D)(Frame(pixels, Fraction(0)))  # type: ignore[arg-type]


def test_drawing_on_a_decoded_frame_counts_before_it_is_pushed_and_not_afterwards() -> None:
    """A mask over its pixels counts; to look at them does not change how the picture is made."""
    picture = random_picture(256, 342)
    stored = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    untouched = fit(DecodedFrame(stored, Fraction(0)))
    looked_at, masked, late = (DecodedFrame(stored, Fraction(0)) for _ in range(3))
    assert looked_at.pixels.shape == picture.shape
    masked.pixels[:] = 7
    fitted = Fitting(C3D)(late)
    late.pixels[:] = 7
    np.testing.assert_array_equal(fit(looked_at), untouched)
    np.testing.assert_array_equal(fit(masked), np.full((112, 112, 3), 7))
    np.testing.assert_array_equal(fitted.values(), untouched)


def test_a_decoded_frame_reaches_another_process_as_a_frame_of_its_pixels() -> None:
    """As capture processes and archives send it."""
    picture = av.VideoFrame.from_ndarray(random_picture(48, 64), format="rgb24")
    decoded = DecodedFrame(picture, Fraction(3, 7), discontinuity=True, duration=Fraction(1, 25))
    sent = pickle.loads(pickle.dumps(decoded))
    np.testing.assert_array_equal(sent.pixels, decoded.pixels)
    assert (sent.seconds, sent.discontinuity, sent.duration) == (Fraction(3, 7), True, Fraction(1, 25))


@pytest.mark.parametrize("pixels", [np.zeros((4, 6, 3), np.uint8), None, [[0]]])
def test_any_frame_can_be_printed(pixels: object) -> None:
    assert "1/3 s" in repr(Frame(pixels, Fraction(1, 3)))  # type: ignore[arg-type]

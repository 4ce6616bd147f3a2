"""Pictures for people: compressed once, and decompressed only where somebody needs the pixels."""

from __future__ import annotations

import pickle
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import pictures

from cmsn_runtime.errors import DecodeError
from cmsn_runtime.pictures.compressed import CompressedFrame
from cmsn_runtime.pictures.compressing import JpegMaker


def decoded(pixels: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


def test_a_picture_keeps_its_colours_and_its_proportions() -> None:
    shown = np.zeros((240, 320, 3), np.uint8)
    shown[:, :160], shown[:, 160:] = (255, 255, 255), (200, 30, 30)
    frame = CompressedFrame(JpegMaker(160)(decoded(shown)), Fraction(5))
    assert frame.pixels.shape == (120, 160, 3)
    assert np.abs(frame.pixels[10, 20].astype(int) - 255).max() < 6
    assert np.abs(frame.pixels[10, 140].astype(int) - (200, 30, 30)).max() < 12


def test_a_smaller_picture_is_not_enlarged_and_sides_are_even() -> None:
    maker = JpegMaker(480)
    sizes = [
        CompressedFrame(maker(decoded(np.zeros((h, w, 3), np.uint8))), Fraction(0)).pixels.shape
        for h, w in ((121, 161), (120, 160), (1080, 1920))
    ]
    assert sizes == [(120, 160, 3), (120, 160, 3), (270, 480, 3)]


def test_pixels_are_decompressed_once_and_the_jpeg_goes_to_other_processes() -> None:
    frame = CompressedFrame(JpegMaker(64)(decoded(pictures(1)[0])), Fraction(1, 3))
    assert frame.pixels is frame.pixels
    sent = pickle.loads(pickle.dumps(frame))
    assert (sent.jpeg, sent.seconds) == (frame.jpeg, frame.seconds)
    assert frame.jpeg.startswith(b"\xff\xd8") and "bytes of JPEG" in repr(frame)


def test_what_is_no_jpeg_is_a_decode_error() -> None:
    with pytest.raises(DecodeError, match="no JPEG"):
        _ = CompressedFrame(b"nothing", Fraction(2)).pixels

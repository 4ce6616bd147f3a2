"""Optical flow of pictures whose motion is known, its quantisation, and its place in a stream."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

cv2 = pytest.importorskip("cv2", reason="needs OpenCV")

from cmsn_runtime.errors import MissingExtraError, SettingsError  # noqa: E402
from cmsn_runtime.pictures.flow import FlowChannels, FlowField, quantised, with_flow  # noqa: E402
from cmsn_runtime.pictures.settings import FlowMethod, FlowSettings, Preprocessing  # noqa: E402

INSIDE = slice(40, -40)


def texture(*, shift: tuple[float, float] = (0, 0), turn: float = 0.0) -> npt.NDArray[np.uint8]:
    """A smooth random picture uint8 [180, 240, 3], moved (right, down) and turned about its middle by degrees."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 360), np.uint8)
    smooth = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    matrix = cv2.getRotationMatrix2D((180, 150), turn, 1)
    matrix[:, 2] += shift
    moved = cv2.warpAffine(smooth, matrix, (360, 300), flags=cv2.INTER_CUBIC)
    return np.repeat(moved[60:-60, 60:-60, None], 3, axis=2)


def flow(before: Any, after: Any, **settings: Any) -> npt.NDArray[np.float32]:
    field = FlowField(FlowSettings(**settings))
    return field(field.grey(before), field.grey(after))


def needs(method: FlowMethod) -> None:
    if method == "tv-l1" and not hasattr(cv2, "optflow"):
        pytest.skip("needs OpenCV's contributed modules")


@pytest.mark.parametrize("method", ["dis", "tv-l1"])
@pytest.mark.parametrize("shift", [(1.0, 0.0), (0.0, -2.0), (3.5, 2.25), (-6.0, 4.0), (0.5, 0.5)])
def test_a_shifted_picture_has_its_shift_within_a_tenth_of_a_pixel(
    method: FlowMethod, shift: tuple[float, float]
) -> None:
    needs(method)
    found = flow(texture(), texture(shift=shift), method=method)[INSIDE, INSIDE]
    np.testing.assert_allclose(np.median(found, axis=(0, 1)), shift, atol=0.1)
    assert np.mean(np.abs(found - shift).max(axis=2) < 0.1) > 0.9, "nearly everywhere"


@pytest.mark.parametrize("moment", [{"shift": (3.0, -2.0)}, {"turn": 1.0}], ids=["pans", "turns"])
def test_warped_flow_leaves_out_the_cameras_own_motion_and_keeps_what_moves(moment: dict[str, Any]) -> None:
    before, after = texture(), texture(**moment)
    before[70:100, 90:120] = after[74:104, 90:120] = 255 - texture()[70:100, 90:120]  # a square that moves down
    plain, warped = (flow(before, after, warped=kind) for kind in (False, True))
    corner = slice(20, 50)
    assert np.abs(plain[corner, corner]).mean() > 0.5
    assert np.abs(warped[corner, corner]).mean() < 0.2
    assert np.abs(warped[80:92, 98:112]).max() > 2


def test_quantised_values_are_those_of_tsn() -> None:
    """255 (v + 20) / 40, rounded half to even as OpenCV rounds, clipped at 20 pixels."""
    values = np.array([-30, -20, -19.95, -10, -0.1, 0, 0.05, 0.1, 1, 9.99, 19.9, 20, 1e9], np.float32)
    expected = [0, 0, 0, 64, 127, 128, 128, 128, 134, 191, 254, 255, 255]
    assert quantised(values.reshape(-1, 1), 20.0).ravel().tolist() == expected
    assert quantised(np.array([[4.0]], np.float32), 8.0).tolist() == [[191]]


def test_a_stream_has_no_motion_at_its_start_and_none_in_a_repeated_picture() -> None:
    channels = FlowChannels(FlowSettings())
    pictures = [texture(), texture(shift=(2, 0)), texture(shift=(2, 0)), texture()]
    found = [channels(picture) for picture in pictures]
    assert [item.shape for item in found] == [(180, 240, 5)] * 4
    assert found[0].dtype == np.uint8
    for picture, item in zip(pictures, found, strict=True):
        np.testing.assert_array_equal(item[..., :3], picture)
    assert (found[0][..., 3:] == 128).all()
    assert (found[2][..., 3:] == 128).all()
    right, left = (int(np.median(found[index][..., 3])) for index in (1, 3))
    assert (right, left) == (140, 115), "2 pixels of 20, to the right and back"
    channels.reset()
    np.testing.assert_array_equal(channels(pictures[1])[..., 3:], 128)


def test_pictures_without_flow_pass_unchanged() -> None:
    picture = texture()
    assert next(with_flow([picture], None)) is picture
    assert Preprocessing().picture_shape == (112, 112, 3)
    assert Preprocessing(flow=FlowSettings()).picture_shape == (112, 112, 5)


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"cmsn\[flow\]"):
        FlowChannels(FlowSettings())


def test_tv_l1_without_the_contributed_modules_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "optflow", raising=False)
    with pytest.raises(SettingsError, match="install opencv-contrib-python-headless"):
        FlowChannels(FlowSettings(method="tv-l1"))


@pytest.mark.parametrize("bound", [0, -1, 1e9, float("nan")])
def test_a_bound_outside_its_range_is_refused(bound: float) -> None:
    with pytest.raises(SettingsError, match=r"flow\.bound"):
        FlowSettings(bound=bound)

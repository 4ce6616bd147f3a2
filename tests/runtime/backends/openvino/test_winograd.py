"""Convolutions with fewer products: the same results, and only where they can be had so."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cmsn_runtime.backends.openvino.library import core, load_openvino, load_operators
from cmsn_runtime.backends.openvino.winograd import with_fewer_products

Floats = npt.NDArray[np.float32]


def convolution(*, steps: int, channels: int = 32, padding: int = 0, half: bool = False) -> Any:
    """A model of one 3x3x3 convolution with so many steps of output."""
    ov, operators = load_openvino(), load_operators()
    rng = np.random.default_rng(0)
    values = operators.parameter([1, channels, steps + 2 - 2 * padding, 5, 6], np.float32, name="x")
    weights = operators.constant(rng.normal(size=(8, channels, 3, 3, 3)).astype(np.float16 if half else np.float32))
    factor = operators.convert(weights, "f32") if half else weights
    pads = [padding, 1, 1]
    return ov.Model([operators.convolution(values, factor, [1, 1, 1], pads, pads, [1, 1, 1])], [values])


def output(model: Any) -> Floats:
    (port,) = model.inputs
    values = np.random.default_rng(1).normal(size=tuple(port.shape)).astype(np.float32)
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    result: Floats = core().compile_model(model, "CPU", options)([values])[0]
    return result


def kinds(model: Any) -> list[str]:
    return [node.get_type_name() for node in model.get_ops()]


@pytest.mark.parametrize("steps", [2, 4, 10])
def test_an_even_number_of_steps_takes_four_convolutions_over_space(steps: int) -> None:
    model = convolution(steps=steps)
    expected = output(model)
    assert with_fewer_products(model) == 1
    assert kinds(model).count("Convolution") == 4
    found = output(model)
    assert found.shape == expected.shape == (1, 8, steps, 5, 6)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    "model",
    [{"steps": 1}, {"steps": 3}, {"steps": 4, "channels": 3}, {"steps": 4, "padding": 1}, {"steps": 4, "half": True}],
    ids=["one step", "odd", "few channels", "padded in time", "weights that are computed"],
)
def test_any_other_convolution_is_left_as_it_is(model: dict[str, Any]) -> None:
    built = convolution(**model)
    before = kinds(built)
    assert with_fewer_products(built) == 0
    assert kinds(built) == before

"""How an extractor's states lie in memory between runs: as its convolutions read them, so that no run converts them."""

from __future__ import annotations

from typing import Any

from cmsn_runtime.backends.openvino.library import load_openvino

_HALF = ("bf16", "f16")  # hints, and the names of element types


def keep_states(model: Any, hint: str) -> None:
    """Change the states of a model in place: channels last, and in half precision where the model runs in it.

    OpenVINO computes what lies between the last convolution and an FP32 output in FP32. Each state is the end of one
    layer, so that with FP32 states nearly all but the convolutions would run in FP32.
    """
    ov = load_openvino()
    processor = ov.preprocess.PrePostProcessor(model)
    for ports, prefix, pick in (
        (model.inputs, "past.", processor.input),
        (model.outputs, "next.", processor.output),
    ):
        for port in ports:
            name = port.get_any_name()
            if name.startswith(prefix):
                _keep(pick(name), port, hint)
    processor.build()


def _keep(state: Any, port: Any, hint: str) -> None:
    """Those of pictures are [N, C, T, H, W]; those of feature rows have fewer axes, and keep their layout."""
    ov = load_openvino()
    if hint in _HALF and port.element_type == ov.Type.f32:
        state.tensor().set_element_type(getattr(ov.Type, hint))
    if len(port.partial_shape) == 5:
        state.tensor().set_layout(ov.Layout("NDHWC"))
        state.model().set_layout(ov.Layout("NCDHW"))

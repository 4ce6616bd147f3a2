"""The states of an extractor on OpenVINO: in the precision that computes them, so that none of it is left in FP32."""

from __future__ import annotations

from collections import Counter

import pytest

from cmsn_runtime.backends.openvino.compiling import Compilation, compiled, read_model
from cmsn_runtime.backends.openvino.library import capabilities
from cmsn_runtime.bundle_files import locate_bundle, read_graph, read_manifest

_COMPUTING = {"Convolution", "Pooling", "Subgraph", "Concatenation", "StridedSlice", "Split"}


def executed(hint: str) -> Counter[tuple[str, str]]:
    """(kind of layer, the precision it runs in) of the demo bundle's extractor."""
    folder = locate_bundle("demo")
    file = read_manifest(folder).variant("fp32").graphs["extractor"]
    compilation = Compilation(device="CPU", hint=hint, threads=1, streams=1, winograd=True, cache=None)
    model = compiled("extractor", read_model("extractor", read_graph(folder, file)), 8, compilation)
    facts = [node.get_rt_info() for node in model.get_runtime_model().get_ordered_ops()]
    return Counter((item["layerType"].astype(str), item["runtimePrecision"].astype(str)) for item in facts)


def test_in_bf16_no_layer_between_a_convolution_and_a_state_runs_in_fp32() -> None:
    if "BF16" not in capabilities():
        pytest.skip("this processor has no BF16")
    found = executed("bf16")
    assert not [kind for kind, precision in found if kind in _COMPUTING and precision == "f32"]
    assert found["Convolution", "bf16"] > 8
    assert found["Output", "bf16"] == 11


def test_in_fp32_nothing_runs_in_less() -> None:
    assert not [kind for kind, precision in executed("f32") if precision in {"bf16", "f16"}]

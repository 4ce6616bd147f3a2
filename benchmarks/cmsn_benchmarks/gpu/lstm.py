"""The BiLSTM of a stage graph in parts: cut after a layer, and compared by direction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx

Array = npt.NDArray[np.float32]

LARGEST_ERROR = 1e-3  # for values between -1 and 1, as for stage probabilities


def wrong_directions(found: Array, expected: Array) -> list[str]:
    """Differences in [steps, 2, cameras, hidden], forward and backward, one sentence each."""
    faults: list[str] = []
    for direction, name in enumerate(("forward", "backward")):
        error = np.abs(found[:, direction] - expected[:, direction]).max(axis=(1, 2))
        wrong = np.flatnonzero(~(error <= LARGEST_ERROR))
        if len(wrong):
            faults.append(
                f"{name} is off by {error.max():.2g} in {len(wrong)} of {len(error)} steps, {wrong[0]} the first"
            )
    return faults


def cut_after(graph: bytes, layer: int) -> tuple[bytes, str, int]:
    """The stage graph up to an LSTM, the name of its output [steps, 2, cameras, hidden], and its hidden units."""
    model = onnx.load_from_string(graph)
    node = [node for node in model.graph.node if node.op_type == "LSTM"][layer]
    hidden = next(item.i for item in node.attribute if item.name == "hidden_size")
    output = node.output[0]
    sides = ["steps", 2, "batch", hidden]
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, sides))
    cut = onnx.utils.Extractor(model).extract_model(["features"], [output])
    onnx.checker.check_model(cut)
    return cut.SerializeToString(), output, hidden

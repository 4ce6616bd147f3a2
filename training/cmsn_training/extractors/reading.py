"""Reads a user's ONNX network: taken as a single FP32 graph of opset 17 over any number of snippets, or refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, compose, helper, numpy_helper, version_converter

from cmsn_runtime.backends.ports import one_line
from cmsn_runtime.errors import SettingsError
from cmsn_training.extractor_config import NetworkConfig
from cmsn_training.extractors.running import NetworkRun, agree, example
from cmsn_training.extractors.snippet_shape import snippet_shape
from cmsn_training.onnx_module import OPSET, needed

SNIPPETS, OUTPUT = "snippets", "values"  # names of a read network's input and output
_LIMIT = 2**31 - 1  # bytes: protobuf's
_STANDARD = ("", "ai.onnx")
_BRANCHES = ("If", "Loop", "Scan")


@dataclass(frozen=True, slots=True, eq=False)
class ReadNetwork:
    """A network as it goes into a bundle. onnx: input `snippets` float32, its first axis dynamic; output `values`.

    shape: of one snippet. sha256: of the file (without external data).
    """

    onnx: bytes
    shape: tuple[int, ...]
    sha256: str


def read_network(network: NetworkConfig, *, crop: tuple[int, int] | None) -> ReadNetwork:
    """The network of a configuration. crop: (height, width) it gets where neither its file nor its `size` says more.

    Weights in other files are read from beside it; an older or newer opset is converted; a fixed number of snippets is
    opened. Each change is checked: ONNX Runtime must compute the same as with the original. Raises SettingsError, with
    the reason, where a file cannot be taken.
    """
    path = network.file
    original, digest = _loaded(path)
    _require_plain(path, original)
    model = _at_opset(path, original)
    model = _with_output(path, model, network.output)
    shape = snippet_shape(path, _only_input(path, model).type.tensor_type, network, crop=crop)
    read = _renamed(_opened(model, shape))
    _require_same(path, _with_output(path, original, network.output), read, shape)
    return ReadNetwork(read, shape, digest)


def _loaded(path: Path) -> tuple[Any, str]:
    try:
        raw = path.read_bytes()
        model = onnx.load_from_string(raw)
        onnx.load_external_data_for_model(model, str(path.parent))
    except OSError as error:
        name = error.filename or path
        raise SettingsError(f"{name}: cannot be read ({error.strerror or error}); give a network in ONNX") from error
    except Exception as error:  # protobuf's and ONNX's errors share no base class
        raise SettingsError(
            f"{path}: cannot be read as ONNX ({one_line(error)}); export the network with torch.onnx.export, and keep "
            "files of external data beside it"
        ) from error
    if not model.graph.node:
        raise SettingsError(f"{path}: holds no ONNX graph; give a network in ONNX")
    if model.ByteSize() > _LIMIT:
        raise SettingsError(f"{path}: has {model.ByteSize()} bytes of weights; a bundle's graph holds up to {_LIMIT}")
    return model, hashlib.sha256(raw).hexdigest()


def _require_plain(path: Path, model: Any) -> None:
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in _STANDARD})
    if foreign or model.functions:
        names = foreign or sorted(function.name for function in model.functions)
        raise SettingsError(
            f"{path}: uses {', '.join(names)}; only ONNX's own operators run everywhere; export it without custom "
            "operators and functions"
        )
    branches = sorted({node.op_type for node in model.graph.node if node.op_type in _BRANCHES})
    if branches:
        raise SettingsError(
            f"{path}: has {', '.join(branches)}, whose graphs inside graphs engines do not take; export it in "
            "evaluation mode with fixed sizes, or simplify it (onnx-simplifier)"
        )
    random = sorted({node.op_type for node in model.graph.node if node.op_type.startswith(("Random", "Multinomial"))})
    if random:
        raise SettingsError(f"{path}: has {', '.join(random)}: its results change; export it in evaluation mode")


def _at_opset(path: Path, model: Any) -> Any:
    version = next((item.version for item in model.opset_import if item.domain in _STANDARD), 0)
    if version == OPSET:
        return model
    try:
        converted = version_converter.convert_version(model, OPSET)
        onnx.checker.check_model(converted, full_check=True)
    except Exception as error:  # the converter raises RuntimeErrors, the checker its own
        raise SettingsError(
            f"{path}: is of opset {version}, and ONNX cannot convert it to {OPSET}, which all supported versions of "
            f"TensorRT read ({one_line(error)}); export it with opset_version={OPSET}"
        ) from error
    return converted


def _inputs(model: Any) -> list[Any]:
    weights = {item.name for item in model.graph.initializer}
    return [item for item in model.graph.input if item.name not in weights]


def _only_input(path: Path, model: Any) -> Any:
    inputs = _inputs(model)
    if len(inputs) != 1:
        names = ", ".join(item.name for item in inputs) or "none"
        raise SettingsError(
            f"{path}: has the inputs {names}; a network of one input is needed; export it with the rest fixed"
        )
    if inputs[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(inputs[0].type.tensor_type.elem_type).lower()
        raise SettingsError(f"{path}: its input {inputs[0].name} is {kind}; float is needed; export it in float32")
    return inputs[0]


def _with_output(path: Path, model: Any, name: str | None) -> Any:
    """The part of the network that leads to one tensor."""
    outputs = [item.name for item in model.graph.output]
    if name is None:
        if len(outputs) != 1:
            raise SettingsError(f"{path}: has the outputs {', '.join(outputs)}; set `output` to one of them")
        name = outputs[0]
    produced = {output for node in model.graph.node for output in node.output}
    if name not in produced:
        raise SettingsError(
            f"{path}: has no tensor {name!r}; its outputs are {', '.join(outputs)}, and the last of the others "
            f"{', '.join(_last_tensors(model, 5))}; set `output` to one of them"
        )
    part = onnx.ModelProto()
    part.CopyFrom(model)
    del part.graph.output[:]
    part.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    nodes = needed(list(part.graph.node), [name])
    used = {item for node in nodes for item in node.input}
    weights = [item for item in part.graph.initializer if item.name in used]
    del part.graph.node[:], part.graph.initializer[:], part.graph.value_info[:]
    part.graph.node.extend(nodes)
    part.graph.initializer.extend(weights)
    return part


def _last_tensors(model: Any, count: int) -> list[str]:
    return [node.output[0] for node in model.graph.node][-count - 1 : -1]


def _opened(model: Any, shape: tuple[int, ...]) -> Any:
    """The input of any number of snippets of this shape."""
    (given,) = _inputs(model)
    fixed = given.type.tensor_type.shape.dim[0].dim_value
    del given.type.tensor_type.shape.dim[:]
    for size in (SNIPPETS, *shape):
        dimension = given.type.tensor_type.shape.dim.add()
        if isinstance(size, str):
            dimension.dim_param = size
        else:
            dimension.dim_value = size
    if fixed:
        _open_reshapes(model, fixed)
    return model


def _open_reshapes(model: Any, fixed: int) -> None:
    """Let reshapes to exactly `fixed` snippets keep the number that there is: 0 copies an axis."""
    constants = {item.name: item for item in model.graph.initializer}
    values = {node.output[0]: node.attribute[0].t for node in model.graph.node if node.op_type == "Constant"}
    for node in model.graph.node:
        target = constants.get(node.input[1]) or values.get(node.input[1]) if node.op_type == "Reshape" else None
        if target is None:
            continue
        sizes = numpy_helper.to_array(target).copy()
        if len(sizes) > 1 and sizes[0] == fixed:
            sizes[0] = 0
            target.CopyFrom(numpy_helper.from_array(sizes, target.name))


def _renamed(model: Any) -> bytes:
    """Everything under a prefix of its own, between `snippets` and `values`."""
    model.doc_string = model.graph.doc_string = ""
    del model.metadata_props[:]
    _constants_as_weights(model)
    (given,), (output,) = _inputs(model), model.graph.output
    weights = {item.name for item in model.graph.initializer}
    kept = [item for item in model.graph.input if item.name not in weights]  # old files list weights as inputs too
    del model.graph.input[:]
    model.graph.input.extend(kept)
    renamed = compose.add_prefix(model, "network/")
    ends = {f"network/{given.name}": SNIPPETS, f"network/{output.name}": OUTPUT}
    for node in renamed.graph.node:
        for names in (node.input, node.output):
            names[:] = [ends.get(name, name) for name in names]
    for item in (*renamed.graph.input, *renamed.graph.output):
        item.name = ends[item.name]
    renamed.ir_version = min(renamed.ir_version, 8)  # the one of opset 17; TensorRT 8.6 reads no later one
    serialised: bytes = renamed.SerializeToString()
    return serialised


def _constants_as_weights(model: Any) -> None:
    """What computes in half precision converts weights, and knows them by being initialisers."""
    for node in [node for node in model.graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]:
        weight = node.attribute[0].t
        weight.name = node.output[0]
        model.graph.initializer.append(weight)
        model.graph.node.remove(node)


def _require_same(path: Path, original: Any, read: bytes, shape: tuple[int, ...]) -> None:
    """ONNX Runtime computes the same from both, and for three snippets what it computes for each alone."""
    given = example(shape)
    run = NetworkRun(path, read)
    with_original = NetworkRun(path, original.SerializeToString())
    expected = [with_original(snippet[None]) for snippet in given] if with_original.takes(1) else [with_original(given)]
    alone = [run(snippet[None]) for snippet in given]
    if with_original.takes(1) and not all(map(agree, alone, expected)):
        raise SettingsError(f"{path}: computes something else at opset {OPSET}; export it with opset_version={OPSET}")
    try:
        together = run(given)
    except SettingsError as error:
        raise SettingsError(f"{path}: takes one snippet at a time ({error.__cause__}); {_EXPORT_OPEN}") from error
    if together.shape[:1] != given.shape[:1] or not all(
        agree(together[index : index + 1], one) for index, one in enumerate(alone)
    ):
        raise SettingsError(f"{path}: several snippets at once give other results than each alone; {_EXPORT_OPEN}")


_EXPORT_OPEN = "export it with its first axis dynamic (torch.onnx.export: dynamic_axes={'input': {0: 'snippets'}})"

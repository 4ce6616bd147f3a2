"""Networks in ONNX as people have them: each is taken and computes the same, or refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch")

from small_networks import Clips, Frames, write_network  # noqa: E402
from torch import nn  # noqa: E402

from cmsn_runtime.errors import SettingsError  # noqa: E402
from cmsn_training.extractor_config import NetworkConfig  # noqa: E402
from cmsn_training.extractors.reading import ReadNetwork, read_network  # noqa: E402
from cmsn_training.extractors.running import NetworkRun, example  # noqa: E402

SHAPE = (3, 16, 24)


class Classifier(nn.Module):
    """A usual one: maps, flattened features, class scores."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = Frames(3)
        self.scores = nn.Linear(6, 4)

    def forward(self, x: Any) -> Any:
        """See the class."""
        maps = self.maps(x)
        return self.scores(maps.mean(dim=(2, 3)).reshape(x.shape[0], 6))


def read(path: Path, *, crop: tuple[int, int] | None = None, **options: Any) -> ReadNetwork:
    return read_network(NetworkConfig(file=path, **options), crop=crop)


def results(path: Path, output: str | None = None) -> Any:
    """Of the original file, snippet by snippet."""
    session = onnxruntime.InferenceSession(str(path))
    name = session.get_inputs()[0].name
    names = None if output is None else [output]
    return np.concatenate([session.run(names, {name: one[None]})[0] for one in example(SHAPE)])


def computed(network: ReadNetwork, path: Path) -> Any:
    return NetworkRun(path, network.onnx)(example(network.shape))


@pytest.mark.parametrize("opset", [11, 13, 17, 18, 20])
@pytest.mark.parametrize("dynamic", [True, False], ids=["any number of snippets", "one snippet"])
def test_other_opsets_and_a_fixed_number_of_snippets_are_converted(tmp_path: Path, opset: int, dynamic: bool) -> None:
    path = write_network(tmp_path / "net.onnx", Classifier(), SHAPE, opset=opset, dynamic=dynamic)
    network = read(path)
    assert network.shape == SHAPE
    model = onnx.load_from_string(network.onnx)
    assert [item.version for item in model.opset_import] == [17]
    assert model.ir_version <= 8
    np.testing.assert_allclose(computed(network, path), results(path), rtol=1e-4, atol=1e-5)


def test_weights_in_other_files_are_read_from_beside_it(tmp_path: Path) -> None:
    inside = write_network(tmp_path / "inside.onnx", Classifier(), SHAPE)
    path = tmp_path / "net.onnx"
    onnx.save_model(onnx.load(inside), path, save_as_external_data=True, location="net.data", size_threshold=0)
    network = read(path)
    assert not any(item.external_data for item in onnx.load_from_string(network.onnx).graph.initializer)
    np.testing.assert_allclose(computed(network, path), results(inside), rtol=1e-5)
    (tmp_path / "net.data").unlink()
    with pytest.raises(SettingsError, match=r"net\.data|external data"):
        read(path)


def test_any_tensor_inside_can_be_the_output(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", Classifier(), SHAPE)
    model = onnx.load(path)
    name = next(node.output[0] for node in model.graph.node if node.op_type == "Reshape")
    network = read(path, output=name)
    assert computed(network, path).shape == (3, 6)
    assert "scores" not in str(onnx.load_from_string(network.onnx).graph.node), "what comes after it is cut off"
    with pytest.raises(SettingsError, match=r"no tensor 'logits'.*outputs are output.*set `output`"):
        read(path, output="logits")


def test_open_sizes_need_one_that_is_given(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", Frames(3), SHAPE)
    model = onnx.load(path)
    for index in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[index].dim_param = "side"
    onnx.save(model, path)
    with pytest.raises(SettingsError, match=r"leaves its height and width open; set `size`"):
        read(path)
    assert read(path, size=(16, 24)).shape == read(path, crop=(16, 24)).shape == SHAPE


def test_a_size_other_than_its_own_is_refused(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", Frames(3), SHAPE)
    with pytest.raises(SettingsError, match=r"takes 16 x 24 pixels; size is \[32, 32\]"):
        read(path, size=(32, 32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": "flow"}, r"3 channels; 1 frames of flow have 2"),
        ({"frames": 5}, r"3 channels; 5 frames of rgb have 15"),
        ({"layout": "nhwc"}, r"24 channels; 1 frames of rgb have 3"),
        ({"layout": "ncthw", "frames": 16}, r"4 axes.*layout 'ncthw' has 5"),
    ],
)
def test_an_input_that_does_not_fit_is_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = write_network(tmp_path / "net.onnx", Frames(3), SHAPE)
    with pytest.raises(SettingsError, match=message):
        read(path, **options)


def test_clips_need_the_right_number_of_frames(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", Clips(3, 16), (3, 16, 16, 24))
    assert read(path, layout="ncthw", frames=16).shape == (3, 16, 16, 24)
    with pytest.raises(SettingsError, match=r"16 frames; 8 frames of rgb have 8"):
        read(path, layout="ncthw", frames=8)


def edited(tmp_path: Path, change: Any) -> Path:
    path = write_network(tmp_path / "net.onnx", Frames(3), SHAPE)
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    return path


def custom(model: Any) -> None:
    model.graph.node[0].domain = "com.example"


def branching(model: Any) -> None:
    output = model.graph.output[0]
    branch = helper.make_graph(
        [helper.make_node("Identity", [model.graph.node[0].output[0]], ["b"])],
        "b",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=branch))
    output.name = "chosen"


def random(model: Any) -> None:
    model.graph.node.append(helper.make_node("RandomNormalLike", [model.graph.output[0].name], ["noise"]))
    model.graph.output[0].name = "noise"


def second_input(model: Any) -> None:
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))


def second_output(model: Any) -> None:
    model.graph.output.append(helper.make_tensor_value_info(model.graph.node[0].output[0], TensorProto.FLOAT, None))


def bytes_in(model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (custom, r"uses com\.example\.Conv; only ONNX's own operators"),
        (branching, r"has If, whose graphs inside graphs"),
        (random, r"has RandomNormalLike: its results change"),
        (second_input, r"has the inputs input, mask; a network of one input"),
        (second_output, r"has the outputs output, .*set `output`"),
        (bytes_in, r"its input input is uint8; float is needed"),
    ],
)
def test_what_cannot_run_everywhere_is_refused_with_the_reason(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read(edited(tmp_path, change))


class MixesSnippets(nn.Module):
    """Its results depend on the other snippets, as batch normalisation in training mode."""

    def forward(self, x: Any) -> Any:
        """See the class."""
        return x - x.mean(dim=0, keepdim=True) + x.flatten(1).mean(dim=1)[:, None, None, None]


def test_a_network_whose_snippets_depend_on_each_other_is_refused(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", MixesSnippets(), SHAPE)
    with pytest.raises(SettingsError, match="several snippets at once give other results"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07" * 50])
def test_a_file_that_is_no_network_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"net\.onnx: (cannot be read as ONNX|holds no ONNX graph)"):
        read(path)
    with pytest.raises(SettingsError, match=r"other\.onnx: cannot be read"):
        read(tmp_path / "other.onnx")


def test_an_old_file_that_lists_its_weights_as_inputs_is_taken(tmp_path: Path) -> None:
    def listed(model: Any) -> None:
        for item in model.graph.initializer:
            model.graph.input.append(helper.make_tensor_value_info(item.name, item.data_type, item.dims))

    path = edited(tmp_path, listed)
    np.testing.assert_allclose(computed(read(path), path), results(path), rtol=1e-5, atol=1e-6)

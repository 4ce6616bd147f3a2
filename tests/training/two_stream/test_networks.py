"""ResNet and BN-Inception from weights of the published layouts, against computations of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from cmsn_runtime.errors import SettingsError  # noqa: E402
from cmsn_training.commands.two_stream import two_stream  # noqa: E402
from cmsn_training.two_stream.bn_inception import BNInception  # noqa: E402
from cmsn_training.two_stream.resnet import DEPTHS, ResNet  # noqa: E402
from cmsn_training.two_stream.weights import read_two_stream  # noqa: E402

Tensors = dict[str, Any]

# https://pytorch.org/vision/stable/models.html (1000 classes); ResNet-200's is that of its table at 3 channels.
PUBLISHED = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}


def weights_of(module: nn.Module) -> Tensors:
    """Random weights in its own names; statistics of batch normalisation are positive."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(value.shape, generator=generator) * (0.1 if value.dim() > 1 else 1.0) + 0.01
        if value.is_floating_point()
        else value
        for name, value in module.state_dict().items()
    }


def resnet_computed(w: Tensors, x: Any, blocks: tuple[int, ...], *, bottleneck: bool, stride_in_1x1: bool) -> Any:
    """From the paper's description, by name alone."""

    def conv(name: str, norm: str, x: Any, stride: int = 1) -> Any:
        kernel = w[f"{name}.weight"]
        y = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2)
        mean, variance, scale, bias = (
            w[f"{norm}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (y - mean) / (variance + 1e-5).sqrt() * scale + bias

    x = F.max_pool2d(conv("conv1", "bn1", x, 2).relu(), 3, 2, 1)
    for stage, count in enumerate(blocks, start=1):
        for index in range(count):
            at, stride = f"layer{stage}.{index}", 2 if stage > 1 and index == 0 else 1
            strides = ([stride, 1, 1] if stride_in_1x1 else [1, stride, 1]) if bottleneck else [stride, 1]
            y = x
            for number, own in enumerate(strides, start=1):
                y = conv(f"{at}.conv{number}", f"{at}.bn{number}", y, own)
                y = y.relu() if number < len(strides) else y
            same = f"{at}.downsample.0.weight" not in w
            x = (y + (x if same else conv(f"{at}.downsample.0", f"{at}.downsample.1", x, stride))).relu()
    return x.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]


def inception_computed(w: Tensors, x: Any) -> Any:
    """By name alone: a block's branches are whatever tensors it has."""

    def conv(name: str, x: Any, stride: int = 1) -> Any:
        kernel, norm = w[f"{name}.weight"], f"{name}_bn"
        y = F.conv2d(x, kernel, w[f"{name}.bias"], stride, kernel.shape[2] // 2)
        return F.batch_norm(
            y, *(w[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        ).relu()

    def pool(x: Any) -> Any:
        return F.max_pool2d(x, 3, 2, ceil_mode=True)

    x = pool(conv("conv1_7x7_s2", x, 2))
    x = pool(conv("conv2_3x3", conv("conv2_3x3_reduce", x)))
    for block in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        at = f"inception_{block}_"
        stride = 2 if block in ("3c", "4e") else 1
        parts = [conv(f"{at}1x1", x)] if stride == 1 else []
        parts.append(conv(f"{at}3x3", conv(f"{at}3x3_reduce", x), stride))
        double = conv(f"{at}double_3x3_1", conv(f"{at}double_3x3_reduce", x))
        parts.append(conv(f"{at}double_3x3_2", double, stride))
        if stride == 2:
            parts.append(pool(x))
        else:
            pooled = F.max_pool2d(x, 3, 1, 1) if block == "5b" else F.avg_pool2d(x, 3, 1, 1)
            parts.append(conv(f"{at}pool_proj", pooled))
        x = torch.cat(parts, 1)
    return x.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]


def saved(folder: Path, tensors: Tensors) -> Path:
    path = folder / "weights.pth"
    torch.save(tensors, path)
    return path


def as_tsn(tensors: Tensors) -> Tensors:
    """A checkpoint of TSN in PyTorch: two wrappers around the network, its own classifier."""
    return {f"module.{'new_' if name.startswith('fc.') else 'base_model.'}{name}": tensors[name] for name in tensors}


def as_mmaction(tensors: Tensors) -> Tensors:
    """A checkpoint of mmaction2: convolution and normalisation are one module."""
    named = {}
    for name, value in tensors.items():
        parts = name.split(".")
        if parts[0] == "fc":
            new = f"cls_head.fc_cls.{parts[-1]}"
        elif "downsample" in parts:
            new = f"backbone.{'.'.join(parts[:2])}.downsample.{'conv' if parts[3] == '0' else 'bn'}.{parts[-1]}"
        else:
            number, kind = parts[-2][-1], "conv" if parts[-2].startswith("conv") else "bn"
            new = "backbone." + ".".join([*parts[:-2], f"conv{number}", kind, parts[-1]])
        named[new] = value
    return {"meta": {"epoch": 1}, "state_dict": named}


@pytest.mark.parametrize("depth", sorted(PUBLISHED))
def test_resnets_have_the_published_number_of_parameters(depth: int) -> None:
    blocks, bottleneck = DEPTHS[depth]
    with torch.device("meta"):
        module = ResNet(blocks, bottleneck=bottleneck)
    assert sum(value.numel() for value in module.parameters()) == PUBLISHED[depth]


def test_bn_inception_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        module = BNInception()
    assert sum(value.numel() for value in module.parameters()) == 11_295_240


@pytest.mark.parametrize("layout", [dict, as_tsn, as_mmaction], ids=["torchvision", "TSN", "mmaction2"])
@pytest.mark.parametrize(
    ("blocks", "bottleneck", "stride_in_1x1"),
    [((1, 2, 1, 1), True, False), ((1, 2, 1, 1), True, True), ((2, 1, 1, 1), False, False)],
    ids=["bottlenecks", "bottlenecks of Caffe", "basic blocks"],
)
def test_a_resnet_computes_what_its_description_says(
    tmp_path: Path, layout: Any, blocks: tuple[int, ...], bottleneck: bool, stride_in_1x1: bool
) -> None:
    weights = weights_of(ResNet(blocks, bottleneck=bottleneck, channels=3, classes=7))
    network = read_two_stream(saved(tmp_path, layout(weights)), stride_in_1x1=stride_in_1x1)
    assert (network.channels, network.classes, network.kind) == (3, 7, "rgb")
    x = torch.randn(2, 3, 65, 50)
    with torch.inference_mode():
        expected = resnet_computed(weights, x, blocks, bottleneck=bottleneck, stride_in_1x1=stride_in_1x1)
        torch.testing.assert_close(network.module(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", [dict, as_tsn], ids=["plain", "TSN"])
@pytest.mark.parametrize("columns", [False, True], ids=["", "normalisation as columns"])
def test_bn_inception_computes_what_its_description_says(tmp_path: Path, layout: Any, columns: bool) -> None:
    weights = weights_of(BNInception(channels=10, classes=5))
    given = {
        name: value[None] if columns and "_bn." in name and value.dim() == 1 else value
        for name, value in weights.items()
    }
    network = read_two_stream(saved(tmp_path, layout(given)))
    assert (network.architecture, network.channels, network.kind) == ("BN-Inception", 10, "flow")
    x = torch.randn(1, 10, 224, 192)
    with torch.inference_mode():
        torch.testing.assert_close(network.module(x), inception_computed(weights, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {"a": torch.zeros(3), "b.weight": torch.zeros(2, 2)}, r"known layout; it holds a \[3\], b.weight"),
        (lambda w: {k: v for k, v in w.items() if k != "layer2.0.bn1.bias"}, r"looks like ResNet-18, but lacks layer2"),
        (lambda w: {**w, "layer1.0.conv2.weight": torch.zeros(3, 3, 3, 3)}, r"layer1.0.conv2.weight is \[3, 3, 3, 3\]"),
        (lambda w: {**w, "bn1.bias": w["bn1.bias"] * torch.nan}, r"bn1.bias holds values that are not finite"),
        (lambda w: {k: v for k, v in w.items() if not k.startswith("fc.")}, r"has no layer of class scores"),
    ],
)
def test_other_files_are_refused_with_what_they_hold(tmp_path: Path, change: Any, message: str) -> None:
    weights = weights_of(ResNet(*DEPTHS[18][:1], bottleneck=False, classes=3))
    with pytest.raises(SettingsError, match=message):
        read_two_stream(saved(tmp_path, change(weights)))


class Harmful:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("harm"),))


def test_a_file_with_objects_is_refused_and_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Harmful()}, tmp_path / "weights.pth")
    with pytest.raises(SettingsError, match="tensors only"):
        read_two_stream(tmp_path / "weights.pth")
    assert not (tmp_path / "harm").exists()


def test_the_command_writes_a_network_that_onnx_runtime_computes_alike(tmp_path: Path) -> None:
    weights = weights_of(ResNet((1, 1, 1, 1), bottleneck=True, channels=10, classes=4))
    path = saved(tmp_path, as_tsn(weights))
    arguments = ["export", str(path), "-o", str(tmp_path / "flow.onnx"), "--size", "64"]
    result = CliRunner().invoke(two_stream, arguments)
    assert result.exit_code == 0, result.output
    assert "ResNet of 1-1-1-1 blocks, 10 channels, 4 classes" in result.output
    assert 'input = "flow"\nframes = 5\nmean = 127.5' in result.output
    x = torch.randn(3, 10, 64, 64)
    (found,) = onnxruntime.InferenceSession(tmp_path / "flow.onnx").run(None, {"snippets": x.numpy()})
    with torch.inference_mode():
        expected = read_two_stream(path).module(x).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)

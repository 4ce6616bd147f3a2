"""C3D weights people own: every naming lands in the right layers, with its own preprocessing; refusals say why."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

pytest.importorskip("lightning")

import torch
from safetensors.torch import save_file

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_training.checkpoint import save_model
from cmsn_training.config import load_config, parse_config
from cmsn_training.models.c3d import C3D
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.pretrained import apply_pretrained, check_preprocessing, read_c3d_weights, with_pretrained
from cmsn_training.models.pretrained_layouts import LAYER_NAMES, c3d_shapes

SPORTS = ((90.25, 97.66, 101.41), "bgr")
CAFFE = ((90.0, 98.0, 102.0), "bgr")
MMACTION = ((104.0, 117.0, 128.0), "rgb")
PLACES = (0, 3, 6, 8, 11, 13, 16, 18)
NAMES = {
    "c3d-pytorch": ["conv1", "conv2", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b"],
    "caffe-features": [f"features.{place}" for place in PLACES],
    "mmaction2": [f"{name}.conv" for name in LAYER_NAMES],
}


def marked(position: int, part: str) -> float:
    """What a parameter of the layer at a position is filled with."""
    return position + 1 + (0.5 if part == "bias" else 0.0)


def state_dict(names: list[str], prefix: str = "") -> dict[str, torch.Tensor]:
    """A full-width C3D of constants, one a parameter, that take no memory; and layers that are none of ours."""
    shapes = c3d_shapes(1.0)
    content = {
        f"{prefix}{theirs}.{part}": torch.tensor(marked(position, part)).expand(shapes[f"{ours}.{part}"])
        for position, (ours, theirs) in enumerate(zip(LAYER_NAMES, names, strict=True))
        for part in ("weight", "bias")
    }
    return {**content, f"{prefix}fc6.weight": torch.zeros(4, 8), f"{prefix}fc6.bias": torch.zeros(4)}


def write(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def assert_every_layer_has_its_own(tensors: dict[str, torch.Tensor]) -> None:
    assert {name: tuple(value.shape) for name, value in tensors.items()} == c3d_shapes(1.0)
    for position, name in enumerate(LAYER_NAMES):
        for part in ("weight", "bias"):
            assert tensors[f"{name}.{part}"].eq(marked(position, part)).all(), name


@pytest.mark.parametrize(
    ("source", "prefix", "wrapper", "normalisation"),
    [
        ("c3d-pytorch", "", None, SPORTS),
        ("c3d-pytorch", "module.", "state_dict", SPORTS),
        ("caffe-features", "", None, CAFFE),
        ("caffe-features", "backbone.", "model", CAFFE),
        ("mmaction2", "", None, MMACTION),
        ("mmaction2", "backbone.", "state_dict", MMACTION),
    ],
)
def test_each_naming_lands_in_the_right_layers(
    tmp_path: Path, source: str, prefix: str, wrapper: str | None, normalisation: tuple[object, object]
) -> None:
    content: object = state_dict(NAMES[source], prefix)
    path = write(tmp_path / "weights.pth", {wrapper: content, "epoch": 3} if wrapper else content)
    weights = read_c3d_weights(path)
    assert weights.source == source
    assert_every_layer_has_its_own(weights.tensors)
    assert (weights.preprocessing.mean, weights.preprocessing.channels) == normalisation
    assert (weights.preprocessing.resize, weights.preprocessing.crop) == ((128, 171), (112, 112))
    assert weights.preprocessing.scale == 1.0


def test_weights_of_a_trained_rc3d_in_the_old_file_format_are_read(tmp_path: Path) -> None:
    content = {"model": state_dict([f"RCNN_base.{place}" for place in PLACES]), "session": 1}
    path = tmp_path / "tdcnn_1_8_4999.pth"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    weights = read_c3d_weights(path)
    assert weights.preprocessing.mean == CAFFE[0]
    assert_every_layer_has_its_own(weights.tensors)


def test_half_precision_and_safetensors_files_are_read(tmp_path: Path) -> None:
    content = {name: value.half().contiguous() for name, value in state_dict(NAMES["caffe-features"]).items()}
    path = tmp_path / "c3d.safetensors"
    save_file(content, path)
    weights = read_c3d_weights(path)
    assert {value.dtype for value in weights.tensors.values()} == {torch.float32}
    assert_every_layer_has_its_own(weights.tensors)


def narrow_toml(folder: Path, *, width: float, extra: str = "", model: str = "") -> Path:
    path = folder / "config.toml"
    path.write_text(f'[data]\nvideos = "."\nannotations = "a.json"\n[model]\nwidth = {width}\n{model}\n{extra}')
    return path


def trained_here(path: Path, *, width: float = 1 / 32) -> CMSN:
    values = {
        "data": {"videos": ".", "annotations": "."},
        "model": {"width": width, "lstm_hidden": 4, "evaluator_hidden": 4},
        "preprocessing": {"resize": [40, 48], "crop": [32, 48], "mean": [1, 2, 3], "scale": 0.5, "channels": "rgb"},
    }
    config = parse_config(values, origin="test")
    model = CMSN(config)
    save_model(model, config, {}, path)
    return model


def test_a_model_trained_by_cmsn_can_be_a_start(tmp_path: Path) -> None:
    """Same width, its preprocessing where the TOML gives none, a path beside the TOML."""
    other = trained_here(tmp_path / "model.safetensors")
    toml = narrow_toml(tmp_path, width=1 / 32, model='pretrained = "model.safetensors"')
    config = with_pretrained(load_config(toml))
    assert config.picture() == Preprocessing((40, 48), (32, 48), (1.0, 2.0, 3.0), 0.5, "rgb")
    model = CMSN(config)
    provenance = apply_pretrained(model, config)
    assert provenance is not None
    assert provenance["file"] == "model.safetensors"
    assert provenance["source"] == "cmsn"
    assert len(provenance["sha256"]) == 64
    expected = other.extractor.get_submodule("c3d").state_dict()
    for name, value in model.extractor.get_submodule("c3d").state_dict().items():
        assert torch.equal(value, expected[name])
    again = parse_config(config.model_dump(mode="json"), origin="checkpoint")
    assert again.picture() == config.picture()


def test_a_configuration_without_pretrained_weights_changes_nothing(tmp_path: Path) -> None:
    config = load_config(narrow_toml(tmp_path, width=1 / 32))
    assert apply_pretrained(CMSN(config), config) is None
    assert config.picture() == Preprocessing()


@pytest.mark.parametrize(
    ("section", "refused"),
    [
        ("resize = [48, 64]\ncrop = [48, 64]", False),
        ("mean = [1, 2, 3]\nscale = 0.5", False),
        ("mean = [3, 2, 1]", True),
        ("scale = 1.0", True),
        ('channels = "bgr"', True),
    ],
)
def test_another_preprocessing_is_refused_unless_ignored(tmp_path: Path, section: str, refused: bool) -> None:
    trained_here(tmp_path / "model.safetensors")
    extra, model = f"[preprocessing]\n{section}", 'pretrained = "model.safetensors"'
    toml = narrow_toml(tmp_path, width=1 / 32, extra=extra, model=model)
    if not refused:
        assert with_pretrained(load_config(toml)).picture().mean == (1.0, 2.0, 3.0)
        return
    with pytest.raises(SettingsError, match=r"mean = \[1\.0, 2\.0, 3\.0\], scale = 0\.5, channels = \"rgb\""):
        with_pretrained(load_config(toml))
    config = load_config(
        narrow_toml(tmp_path, width=1 / 32, extra=extra, model=f'{model}\npretrained_preprocessing = "ignore"')
    )
    assert apply_pretrained(CMSN(config), config) is not None


def test_check_preprocessing_minds_normalisation_and_not_size(tmp_path: Path) -> None:
    weights = read_c3d_weights(write(tmp_path / "c3d.pickle", state_dict(NAMES["c3d-pytorch"])))
    check_preprocessing(weights, Preprocessing((64, 80), (64, 80), SPORTS[0]))
    for wrong in (Preprocessing(), Preprocessing(mean=SPORTS[0][::-1]), Preprocessing(mean=SPORTS[0], channels="rgb")):
        with pytest.raises(SettingsError, match="pretrained_preprocessing"):
            check_preprocessing(weights, wrong)


def test_another_width_is_refused(tmp_path: Path) -> None:
    trained_here(tmp_path / "model.safetensors")
    with pytest.raises(SettingsError, match=r"width 0\.03125, model\.width is 0\.0625"):
        with_pretrained(load_config(narrow_toml(tmp_path, width=1 / 16, model='pretrained = "model.safetensors"')))
    write(tmp_path / "c3d.pickle", state_dict(NAMES["c3d-pytorch"]))
    with pytest.raises(SettingsError, match=r"width 1, model\.width is 0\.5"):
        with_pretrained(load_config(narrow_toml(tmp_path, width=0.5, model='pretrained = "c3d.pickle"')))


def test_full_width_goes_into_the_network(tmp_path: Path) -> None:
    weights = read_c3d_weights(write(tmp_path / "c3d.pickle", state_dict(NAMES["c3d-pytorch"])))
    network = C3D()
    network.load_state_dict(weights.tensors)
    assert network.get_parameter("conv5b.weight").eq(marked(7, "weight")).all()


class _Code:
    """Unpickled without care, this makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("writer", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_code_in_a_pickle_never_runs(tmp_path: Path, writer: object) -> None:
    path = tmp_path / "c3d.pickle"
    writer({"conv1.weight": _Code(tmp_path / "ran")}, path)  # type: ignore[operator]
    with pytest.raises(SettingsError, match="tensors only"):
        read_c3d_weights(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 broken", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_that_hold_no_weights_are_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="weights"):
        read_c3d_weights(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_c3d_weights(tmp_path / f"absent{suffix}")


@pytest.mark.parametrize(
    "content",
    [
        {"conv1.weight": torch.zeros(64, 3, 7, 7, 7), "layer1.0.conv1.weight": torch.zeros(64)},  # a 3-D ResNet
        {"weights": torch.zeros(3)},
        {},
        {3: torch.zeros(3), "epoch": 5},
        [torch.zeros(3)],
        torch.zeros(3),
    ],
)
def test_unknown_files_are_refused_with_what_they_hold(tmp_path: Path, content: object) -> None:
    with pytest.raises(SettingsError) as caught:
        read_c3d_weights(write(tmp_path / "weights.pth", content))
    message = str(caught.value)
    if isinstance(content, dict):
        assert "features.0.weight" in message
        assert all(
            name in message
            for name, value in content.items()
            if isinstance(value, torch.Tensor) and isinstance(name, str)
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv3b.weight": torch.zeros(256, 128, 3, 3, 3)}, r"conv3b\.weight is \[256, 128, .* needs \[256, 256, "),
        ({"conv1.weight": torch.zeros(64, 3, 3, 3)}, r"conv1\.weight is \[64, 3, 3, 3\]"),
        ({"conv4a.bias": None}, r"no conv4a\.bias"),
        ({"conv1.bias": torch.zeros(64, dtype=torch.int64)}, "int64"),
        ({"conv1.bias": torch.full((64,), float("nan"))}, "finite"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, change: dict[str, torch.Tensor | None], message: str
) -> None:
    content = {**state_dict(NAMES["c3d-pytorch"]), **change}
    kept = {name: value for name, value in content.items() if value is not None}
    with pytest.raises(SettingsError, match=message):
        read_c3d_weights(write(tmp_path / "c3d.pickle", kept))


def test_weights_with_our_names_but_no_configuration_are_refused(tmp_path: Path) -> None:
    content = {f"extractor.c3d.{name}": torch.zeros(shape) for name, shape in c3d_shapes(1 / 32).items()}
    save_file(content, tmp_path / "model.safetensors")
    with pytest.raises(SettingsError, match="cmsn train"):
        read_c3d_weights(tmp_path / "model.safetensors")


def test_pretrained_weights_are_refused_for_feature_rows() -> None:
    values = {
        "data": {"videos": ".", "annotations": "."},
        "features": {"width": 4},
        "model": {"pretrained": "c3d.pickle"},
    }
    with pytest.raises(SettingsError, match="no C3D"):
        parse_config(values, origin="test")

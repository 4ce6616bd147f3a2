"""Frozen networks give the same step features in a stream, in a single pass, in torch and in each exported graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from frozen_models import FRAMES, configured, model_of, pictures_for
from small_networks import Frames, write_network

from cmsn_export.graphs import build_graphs
from cmsn_export.parity import measure_parity
from cmsn_export.variants import state_dtypes, typed_variants
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.manifest.contents import StateTensor
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted
from cmsn_training.config import TrainingConfig


@pytest.mark.parametrize("chunk", [8, 16, 40, 200])
def test_a_stream_equals_a_single_pass(config: TrainingConfig, chunk: int) -> None:
    model, _ = model_of(config)
    frames = pictures_for(model)
    graph = build_graphs(model, window=16)
    states = [StateTensor(name, shape) for name, shape in model.extractor.state_shapes().items()]
    with OnnxRuntimeBackend(graph, states) as backend, torch.inference_mode():
        stream = StreamingExtractor(backend, stride=8, delay_steps=model.extractor.delay_steps, chunk_frames=chunk)
        streamed = np.concatenate([np.array(part) for part in extracted(frames, stream, backend)])
        # A stream repeats the last frame up to a whole step.
        filled = np.concatenate((frames, np.repeat(frames[-1:], -FRAMES % 8, axis=0)))
        whole = model.extractor.whole(torch.from_numpy(filled)[None])[0].numpy()
    assert whole.shape == (26, model.feature_channels)
    np.testing.assert_allclose(streamed, whole, atol=1e-5 * np.abs(whole).max(), rtol=0)


def test_both_precisions_are_within_their_error(config: TrainingConfig) -> None:
    model, _ = model_of(config)
    for precision, graphs in typed_variants(build_graphs(model, window=16)).items():
        errors = measure_parity(model, {name: graph.onnx for name, graph in graphs.items()}, window=16)
        assert errors["extractor"] < {"fp32": 1e-5, "fp16": 1e-2}[precision]


def test_cameras_of_one_batch_at_different_times_do_not_mix(config: TrainingConfig) -> None:
    model, _ = model_of(config)
    frames = torch.from_numpy(pictures_for(model))
    unknown = torch.tensor([1 << 40])
    with torch.inference_mode():
        state = model.extractor.new_state()
        for begin in (0, 8, 16):
            position = torch.tensor([begin])
            alone = model.extractor(frames[None, begin : begin + 8], position, unknown, *state)
            before, state = state, alone[1:]
        first = model.extractor(frames[None, 40:48], torch.tensor([0]), unknown, *model.extractor.new_state())
        past = [torch.cat(pair) for pair in zip(before, model.extractor.new_state(), strict=True)]
        pictures = torch.stack((frames[16:24], frames[40:48]))
        together = model.extractor(pictures, torch.tensor([16, 0]), unknown.expand(2), *past)
    for index, one in enumerate((alone, first)):
        for found, expected in zip(together, one, strict=True):
            np.testing.assert_allclose(found[index], expected[0], atol=1e-4)


def test_states_keep_their_values_in_half_precision(config: TrainingConfig) -> None:
    graphs = typed_variants(build_graphs(model_of(config)[0], window=16))
    kinds = set(state_dtypes(graphs["fp16"]["extractor"].onnx).values())
    assert kinds <= {"float16"}, "pixels up to 255 are exact in half precision"


def test_a_network_of_two_kinds_of_input_has_its_weights_in_the_file_once(tmp_path: Path) -> None:
    file = str(write_network(tmp_path / "net.onnx", Frames(3), (3, 16, 24)))
    sizes = []
    for kinds in (["rgb"], ["rgb", "difference"]):
        model, _ = model_of(configured({kind: {"file": file, "input": kind} for kind in kinds}))
        extractor = onnx.load_from_string(build_graphs(model, window=16)["extractor"])
        sizes.append(sum(item.dims[0] for item in extractor.graph.initializer if item.name.endswith("weight")))
    assert sizes[0] == sizes[1] == 12, "two convolutions of six channels"

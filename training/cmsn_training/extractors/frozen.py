"""Frozen networks as the extractor: pictures in, step features out, chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_training.extractor_config import ExtractorConfig, NetworkConfig
from cmsn_training.extractors.reading import ReadNetwork
from cmsn_training.extractors.running import NetworkRun
from cmsn_training.extractors.snippets import SnippetSampler, pooled
from cmsn_training.models.feature_extractor import FeatureExtractor


class FrozenNetwork(nn.Module):
    """One network in ONNX, which travels among the weights as its bytes; ONNX Runtime computes it, in float32."""

    graph: torch.Tensor

    def __init__(self, network: NetworkConfig) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("graph", torch.zeros(0, dtype=torch.uint8))
        self._run: NetworkRun | None = None

    @property
    def onnx(self) -> bytes:
        """Its bytes."""
        return bytes(self.graph.cpu().numpy().tobytes())

    def set(self, onnx: bytes) -> None:
        """Take these bytes."""
        self.graph = torch.from_numpy(np.frombuffer(onnx, np.uint8).copy())
        self._run = None

    def raw(self, snippets: torch.Tensor) -> torch.Tensor:
        """Snippets [n, ...] -> the network's output [n, ...]."""
        if self._run is None:
            self._run = NetworkRun(self.network.file, self.onnx)
        values = self._run(np.ascontiguousarray(snippets.cpu().numpy()))
        return torch.from_numpy(values).to(snippets.device)

    def forward(self, snippets: torch.Tensor) -> torch.Tensor:
        """Snippets [n, ...] -> rows [n, width]."""
        return pooled(self.raw(snippets), self.network)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """A file's network may have any size."""
        given = state_dict.get(f"{prefix}graph")
        if isinstance(given, torch.Tensor) and given.dtype == torch.uint8:
            self.set(given.numpy().tobytes())
        super()._load_from_state_dict(state_dict, prefix, *rest)


class FrozenExtractor(nn.Module):
    """Networks that are not trained, and after them the pooling of rows that is (section 5.1).

    head: takes their joined rows, one per step; its `stride` is 1. stride: frames per step.
    Has the interface of IncrementalExtractor, so that everything after it is the same.
    """

    def __init__(
        self,
        extractor: ExtractorConfig,
        *,
        head: FeatureExtractor,
        preprocessing: Preprocessing,
        stride: int,
    ) -> None:
        super().__init__()
        self.sampler = SnippetSampler(extractor, crop=preprocessing.crop, stride=stride)
        self.networks = nn.ModuleDict({name: FrozenNetwork(one) for name, one in extractor.networks.items()})
        # Rows as training saw them: principal components of the networks' values, or these themselves.
        self.projection = nn.Linear(extractor.width, head.width) if extractor.components else None
        self.head = head
        self.preprocessing = preprocessing
        self.stride = stride
        self.out_channels = head.out_channels
        self.delay_steps = self.sampler.delay_steps + head.delay_steps
        spans = [plan.begin + plan.span for plan in self.sampler.plans.values()]
        begins = [plan.begin for plan in self.sampler.plans.values()]
        across = max(max(spans), stride) - min(*begins, 0) + extractor.has_flow
        self.receptive_field_frames = (head.receptive_field_frames - 1) * stride + across

    @property
    def mean(self) -> torch.Tensor:
        """A tensor on its device."""
        return self.head.mean

    def graphs(self) -> dict[str, bytes]:
        """Network -> ONNX bytes."""
        return {name: network.onnx for name, network in self.frozen()}

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every state tensor of one camera, in order."""
        shapes = self.head.state_shapes()
        if self.sampler.kept:
            return {"frames": (self.sampler.kept, *self.preprocessing.picture_shape), **shapes}
        return shapes

    def new_state(self, batch: int = 1) -> tuple[torch.Tensor, ...]:
        """The state before the first frame: zeros."""
        return tuple(self.mean.new_zeros(batch, *shape) for shape in self.state_shapes().values())

    def whole(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames uint8 [N, T, H, W, C] -> step features [N, T // stride, width] in a single pass."""
        steps = frames.shape[1] // self.stride
        after = frames[:, -1:].expand(-1, self.sampler.delay_steps * self.stride, -1, -1, -1)
        frames = torch.cat((frames[:, : steps * self.stride], after), dim=1)
        position = torch.zeros(len(frames), dtype=torch.int64, device=frames.device)
        rows, _ = self._rows(frames, position, list(self.new_state(len(frames))))
        return self.head.whole(rows[:, self.sampler.delay_steps :])

    def forward(
        self, frames: torch.Tensor, position: torch.Tensor, length: torch.Tensor, *past: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """One chunk: see IncrementalExtractor.forward. To get the last steps push the last frame again and again."""
        states = list(past)
        rows, following = self._rows(frames, position, states)
        return join_rows(self, rows, position, length, states, following)

    def _rows(
        self, frames: torch.Tensor, position: torch.Tensor, states: list[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Rows [N, T / stride, width], and the next kept frames; takes those kept from the states."""
        kept = [states.pop(0)] if self.sampler.kept else []
        found = list(self.sampler(frames, position, *kept))
        following = [found.pop()] if kept else []
        values = [network(snippets) for (_, network), snippets in zip(self.frozen(), found, strict=True)]
        return self.join(values, len(frames)), following

    def join(self, values: list[torch.Tensor], cameras: int) -> torch.Tensor:
        """Rows [N * n, width] of each network -> [N, steps, row width]: the snippets of a step are averaged."""
        counts = [plan.count for plan in self.sampler.plans.values()]
        parts = [
            value.view(cameras, -1, count, value.shape[1]).mean(dim=2)
            if count > 1
            else value.view(cameras, -1, value.shape[1])
            for value, count in zip(values, counts, strict=True)
        ]
        rows = torch.cat(parts, dim=2)
        return rows if self.projection is None else self.projection(rows)

    def frozen(self) -> list[tuple[str, FrozenNetwork]]:
        """The networks by name, in order."""
        return [(name, one) for name, one in self.networks.items() if isinstance(one, FrozenNetwork)]


def join_rows(
    extractor: FrozenExtractor,
    rows: torch.Tensor,
    position: torch.Tensor,
    length: torch.Tensor,
    states: list[torch.Tensor],
    following: list[torch.Tensor],
) -> tuple[torch.Tensor, ...]:
    """What comes after the networks: the head over rows, by row numbers."""
    steps = torch.div(position, extractor.stride, rounding_mode="trunc") - extractor.sampler.delay_steps
    total = torch.div(length, extractor.stride, rounding_mode="trunc")
    features, *rest = extractor.head(rows, steps, total, *states)
    return (features, *following, *rest)


def set_networks(extractor: FrozenExtractor, read: Mapping[str, ReadNetwork]) -> None:
    """Put the networks' graphs in place."""
    for name, network in extractor.frozen():
        network.set(read[name].onnx)

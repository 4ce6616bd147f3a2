"""Which frames the snippets of each network are made of, as chunks of a stream come in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_training.extractor_config import ExtractorConfig, NetworkConfig

_FLOW = slice(3, 5)  # channels of a picture with flow


@dataclass(frozen=True, slots=True)
class SnippetPlan:
    """When snippets begin, in frames. Snippet j of a stream covers j * every + begin onwards, `span` frames.

    offsets: of its pictures, from its beginning. count: snippets in a step. delay_steps: steps by which rows lag, those
    of all networks. kept: frames kept from the past.
    """

    every: int
    begin: int
    span: int
    offsets: range
    count: int
    delay_steps: int
    kept: int
    stride: int

    @property
    def first(self) -> int:
        """Where the first snippet of a chunk begins, counted from the oldest kept frame."""
        return self.kept - self.delay_steps * self.stride + self.begin

    def slices(self) -> list[slice]:
        """For picture 0, 1 ... of a snippet: those of all snippets, among kept frames and chunk."""
        found = []
        for offset in self.offsets:
            begin = self.first + offset
            behind = self.kept + self.every - 1 - begin
            found.append(slice(begin, -behind if behind > 0 else None, self.every))
        return found


def plan_snippets(extractor: ExtractorConfig, *, stride: int) -> dict[str, SnippetPlan]:
    """Network -> its plan. Snippets are centred on their `every` frames; networks with less lag wait for the others."""
    networks = extractor.networks
    every = {name: network.every or stride for name, network in networks.items()}
    begins = {name: every[name] // 2 - network.span // 2 for name, network in networks.items()}
    ahead = max(begins[name] + network.span - every[name] for name, network in networks.items())
    delay = max(0, -(-ahead // stride))
    kept = max(0, delay * stride - min(begins.values()))
    return {
        name: SnippetPlan(
            every=every[name],
            begin=begins[name],
            span=network.span,
            offsets=range(0, network.span, network.apart),
            count=stride // every[name],
            delay_steps=delay,
            kept=kept,
            stride=stride,
        )
        for name, network in networks.items()
    }


class SnippetSampler(nn.Module):
    """Frames of a chunk -> the snippets of every network, normalised and in its layout.

    crop: (height, width) of the frames; networks of another size get them scaled, bilinear.
    """

    def __init__(self, extractor: ExtractorConfig, *, crop: tuple[int, int], stride: int) -> None:
        super().__init__()
        self.networks = extractor.networks
        self.plans = plan_snippets(extractor, stride=stride)
        self.crop = crop
        plan = next(iter(self.plans.values()))
        self.kept, self.delay_steps = plan.kept, plan.delay_steps

    def forward(self, frames: torch.Tensor, position: torch.Tensor, *past: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Frames uint8 [N, T, H, W, C], index of the first [N], and kept frames, if any, float32 [N, kept, H, W, C].

        Returns the snippets of each network, [N * T / every, ...], camera by camera, and the next kept frames, if any.
        Before the first frame of a stream that frame is repeated.
        """
        x = frames.float()  # first of all: TensorRT accepts a uint8 input only through a cast
        if self.kept:
            begins = (position == 0)[:, None, None, None, None]
            x = torch.cat((torch.where(begins, x[:, :1], past[0]), x), dim=1)
        snippets = [self._snippets(x, name, network) for name, network in self.networks.items()]
        return (*snippets, x[:, -self.kept :]) if self.kept else tuple(snippets)

    def _snippets(self, x: torch.Tensor, name: str, network: NetworkConfig) -> torch.Tensor:
        parts = [x[:, part].flatten(0, 1) for part in self.plans[name].slices()]  # each [n, H, W, C], n snippets
        colours = [part[..., _FLOW] if network.input == "flow" else _colours(part, network) for part in parts]
        if network.input == "difference":
            colours = [later - earlier for earlier, later in pairwise(colours)]
        size = network.size or self.crop
        fields = [_scaled(part.permute(0, 3, 1, 2), size, self.crop) for part in colours]  # [n, c, h, w]
        mean, scale = (fields[0].new_tensor(values).view(1, -1, 1, 1) for values in (network.mean, network.scale))
        return _arranged([(part - mean) * scale for part in fields], network.layout)


def _colours(frames: torch.Tensor, network: NetworkConfig) -> torch.Tensor:
    return frames[..., [2, 1, 0]] if network.channels == "bgr" else frames[..., :3]


def _scaled(x: torch.Tensor, size: tuple[int, int], crop: tuple[int, int]) -> torch.Tensor:
    return x if size == crop else F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _arranged(fields: list[torch.Tensor], layout: str) -> torch.Tensor:
    """Frames [n, c, h, w] of each snippet in a layout; without t they are stacked as channels."""
    if "t" not in layout:
        stacked = torch.cat(fields, dim=1)
        return stacked if layout == "nchw" else stacked.permute(0, 2, 3, 1)
    clips = torch.stack(fields, dim=1)  # [n, t, c, h, w]
    return clips.permute(*("ntchw".index(axis) for axis in layout))


def pooled(values: torch.Tensor, network: NetworkConfig) -> torch.Tensor:
    """An output [n, ...] of a network -> rows [n, width]: other axes are averaged, see NetworkConfig."""
    if values.dim() == 2:
        return values
    axis = network.channel_axis
    if axis is None:
        axis = -1 if values.dim() == 3 else 1  # tokens have their values last, maps first
    rest = tuple(index for index in range(1, values.dim()) if index != axis % values.dim())
    return values.mean(dim=rest) if network.pool == "average" else values.amax(dim=rest)

"""The extractor that computes every frame once: chunks in, the same features out as one pass over the video.

A 3x3x3 convolution with zero padding needs two input steps from the past and one from the future. Here
each layer keeps its last two input steps and answers one step late, so a chunk is computed once and
nothing is computed twice. Two details make the answer the SAME as that of a single pass, ends included:

- before the first and after the last frame a single pass pads each LAYER's input with zeros, which is not
  what a convolution of zeros gives (its bias); so steps outside the video are set to zero at every layer;
- where a temporal pool meets an odd lag, one step is held back, so that pairs stay the pairs of a single pass.

Lags in steps of each layer's own rate: conv1a 1, conv2a 2, pool2 1, conv3a 2, conv3b 3, pool3 2 (one held back),
conv4a 3, conv4b 4, pool4 2, conv5a 3, conv5b 4, and 5 and 6 for the two convolutions of the ASS.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_training.models.c3d import C3D
from cmsn_training.models.c3d_layers import C3D_LAYERS, TIME_STRIDE
from cmsn_training.models.convolution import Convolution
from cmsn_training.models.stage_subnet import StageEncoder


@dataclass(frozen=True, slots=True)
class IncrementalLayer:
    """One convolution with its pool, as it streams.

    stride: frames per input step. lag: steps the convolution's output is behind its newest input.
    held: whether the temporal pool holds one step back. out_stride, out_lag: the same after the pool.
    """

    name: str
    pool: tuple[int, int, int] | None
    stride: int
    lag: int
    held: bool
    out_stride: int
    out_lag: int


def plan_layers() -> tuple[IncrementalLayer, ...]:
    """Strides and lags of all ten convolutions, derived from the network's own description."""
    specs = [(spec.name, spec.pool) for spec in C3D_LAYERS] + [("stage1", None), ("stage2", None)]
    plan: list[IncrementalLayer] = []
    stride, lag = 1, 0
    for name, pool in specs:
        in_stride, lag = stride, lag + 1
        conv_lag, held = lag, False
        if pool is not None and pool[0] == 2:
            held = lag % 2 == 1
            stride, lag = stride * 2, (lag + held) // 2
        plan.append(IncrementalLayer(name, pool, in_stride, conv_lag, held, stride, lag))
    return tuple(plan)


PLAN = plan_layers()
DELAY_STEPS = PLAN[-1].out_lag


def receptive_field_frames() -> int:
    """Frames one step feature depends on (100 for C3D and the CNN of the ASS)."""
    return 1 + sum(2 * layer.stride + (layer.stride if layer.out_stride > layer.stride else 0) for layer in PLAN)


class IncrementalExtractor(nn.Module):
    """C3D and the CNN of the ASS over uint8 frames, chunk by chunk, with the state held by the caller.

    stacked: names of layers (of PLAN) that `forward` computes as two-dimensional convolutions, see `stacked_conv`; the
        result is the same; which is faster depends on the inference engine. Empty by default.
    """

    mean: torch.Tensor

    def __init__(self, c3d: C3D, encoder: StageEncoder, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.c3d = c3d
        self.encoder = encoder
        self.preprocessing = preprocessing
        self.out_channels = encoder.out_channels
        self.stride = TIME_STRIDE
        self.delay_steps = DELAY_STEPS
        self.receptive_field_frames = receptive_field_frames()
        self.stacked: frozenset[str] = frozenset()
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1, 1), persistent=False)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape [channels, steps, height, width] of every state tensor of one camera, in order."""
        height, width = self.preprocessing.crop
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in PLAN:
            conv = self.conv(layer.name)
            shapes[layer.name] = (conv.in_channels, 2, height, width)
            if layer.pool is not None:
                height, width = height // 2, width // 2
            if layer.held:
                shapes[f"{layer.name}.held"] = (conv.out_channels, 1, height, width)
        return shapes

    def new_state(self, batch: int = 1) -> tuple[torch.Tensor, ...]:
        """The state before the first frame: zeros."""
        return tuple(self.mean.new_zeros(batch, *shape) for shape in self.state_shapes().values())

    def normalise(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames uint8 [N, T, H, W, 3], RGB -> float32 [N, 3, T, H, W] as the weights expect them."""
        # The cast comes first: TensorRT accepts a uint8 input only through a cast.
        x = frames.float().permute(0, 4, 1, 2, 3)
        if self.preprocessing.channels == "bgr":
            x = x[:, [2, 1, 0]]
        return (x - self.mean) * self.preprocessing.scale

    def whole(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames uint8 [N, T, H, W, 3] -> step features [N, T // 8, C] in a single pass, as in the paper."""
        features: torch.Tensor = self.encoder(self.c3d(self.normalise(frames)))
        return features

    def forward(
        self, frames: torch.Tensor, position: torch.Tensor, length: torch.Tensor, *past: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """One chunk.

        frames: uint8 [N, T, H, W, 3], T a multiple of 8. position: int64 [N], index of the chunk's first frame.
        length: int64 [N], frames of the whole video, or any larger number while the end is unknown.
        past: state tensors in the order of `state_shapes`, each [N, ...].
        Returns step features [N, T / 8, C] of steps position / 8 - 6 onwards, then the next state.
        Steps before 0 are meaningless; to get the last steps push 48 arbitrary frames with `length` set.
        """
        x = _mask(self.normalise(frames), position, length, stride=1, lag=0)
        states = iter(past)
        following: list[torch.Tensor] = []
        for layer in PLAN:
            x = torch.cat((next(states), x), dim=2)
            following.append(x[:, :, -2:])
            conv = self.conv(layer.name)
            x = F.relu(stacked_conv(x, conv) if layer.name in self.stacked else plain_conv(x, conv))
            if layer.held:
                x = F.max_pool3d(x, (1, 2, 2))
                x = torch.cat((next(states), x), dim=2)
                following.append(x[:, :, -1:])
                x = F.max_pool3d(x[:, :, :-1], (2, 1, 1))
            elif layer.pool is not None:
                x = F.max_pool3d(x, layer.pool)
            x = _mask(x, position, length, stride=layer.out_stride, lag=layer.out_lag)
        return (x.amax(dim=(3, 4)).transpose(1, 2), *following)

    def conv(self, name: str) -> Convolution:
        """The convolution of a layer of PLAN. Raises TypeError while its normalisation is not folded."""
        named = {"stage1": self.encoder.conv1, "stage2": self.encoder.conv2}
        conv = named.get(name) or self.c3d.get_submodule(name)
        if not isinstance(conv, Convolution) or conv.norm is not None:
            raise TypeError(f"layer {name} is {conv}; chunks need plain convolutions, fold the normalisation first")
        return conv


def stacked_conv(x: torch.Tensor, conv: Convolution) -> torch.Tensor:
    """[N, C, t + 2, H, W] -> [N, C', t, H, W]: the 3x3x3 convolution, without padding in time, as a 3x3 one.

    Three neighbouring steps are stacked as 3 C channels and time joins the batch: the same products, by the kernels of
    two-dimensional convolutions.
    """
    batch, _, steps = x.shape[0], x.shape[1], x.shape[2] - 2
    stacked = torch.cat((x[:, :, :-2], x[:, :, 1:-1], x[:, :, 2:]), dim=1)
    weight = conv.weight.transpose(1, 2).flatten(1, 2)  # [C', 3 C, 3, 3]
    y = F.conv2d(stacked.transpose(1, 2).flatten(0, 1), weight, conv.bias, padding=1)
    return y.reshape(batch, steps, *y.shape[1:]).transpose(1, 2)


def plain_conv(x: torch.Tensor, conv: Convolution) -> torch.Tensor:
    """[N, C, t + 2, H, W] -> [N, C', t, H, W]: the same over three dimensions."""
    return F.conv3d(x, conv.weight, conv.bias, padding=(0, 1, 1))


def _mask(x: torch.Tensor, position: torch.Tensor, length: torch.Tensor, *, stride: int, lag: int) -> torch.Tensor:
    """Zero the steps of x [N, C, t, h, w] that lie before the first or after the last step of the video."""
    first = torch.div(position, stride, rounding_mode="trunc") - lag
    steps = torch.div(length, stride, rounding_mode="trunc")
    index = first[:, None] + torch.arange(x.shape[2], device=x.device)[None, :]
    inside = (index >= 0) & (index < steps[:, None])
    return x * inside[:, None, :, None, None].to(x.dtype)

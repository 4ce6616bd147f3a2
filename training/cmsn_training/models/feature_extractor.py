"""Feature input: rows of numbers, normalised and pooled into step features, whole or chunk by chunk."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_training.vocabulary import PoolKind


class FeatureExtractor(nn.Module):
    """Replaces C3D and the CNN of the ASS where features are the input: one average-pooling layer
    (section 5.1, two-stream features) after a normalisation with the statistics of the training part.

    width: values per row. stride: rows per step. context: neighbouring steps pooled on each side; the paper does not
        give the size of its pool, 1 is this project's. difference: the rows' first difference is appended to them.
    pool: `average`, or a `convolution` with ReLU that is learnt in phase 1 (CNN-LSTM of Table 5).
    dropout: of normalised values, in training only.

    Has the interface of IncrementalExtractor, so that everything after it is the same.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self,
        width: int,
        *,
        stride: int = 1,
        context: int = 1,
        difference: bool = False,
        dropout: float = 0.0,
        pool: PoolKind = "average",
    ) -> None:
        super().__init__()
        self.width, self.stride, self.context, self.difference = width, stride, context, difference
        self.out_channels = 2 * width if difference else width
        self.delay_steps = context
        self.receptive_field_frames = (2 * context + 1) * stride + difference
        self.dropout = nn.Dropout(dropout)
        channels = self.out_channels
        self.convolution = nn.Conv1d(channels, channels, 2 * context + 1) if pool == "convolution" else None
        self.register_buffer("mean", torch.zeros(self.out_channels))
        self.register_buffer("deviation", torch.ones(self.out_channels))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every state tensor of one stream, in order."""
        shapes: dict[str, tuple[int, ...]] = {}
        if self.difference:
            shapes["row"] = (1, self.width)
        if self.context:
            shapes["steps"] = (2 * self.context, self.out_channels)
        return shapes

    def new_state(self, batch: int = 1) -> tuple[torch.Tensor, ...]:
        """The state before the first row: zeros."""
        return tuple(self.mean.new_zeros(batch, *shape) for shape in self.state_shapes().values())

    @torch.no_grad()
    def fit(self, videos: list[torch.Tensor]) -> None:
        """Set mean and standard deviation of every value from the training rows, each float32 [T, width]."""
        rows = torch.cat([self.spread(video[None])[0] for video in videos]).double()
        self.mean.copy_(rows.mean(0))
        # A value that never changes carries no information; it must not become a division by zero.
        deviation = rows.std(0, correction=0)
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation)))

    def spread(self, rows: torch.Tensor, earlier: torch.Tensor | None = None) -> torch.Tensor:
        """Rows [N, T, width] -> [N, T, out_channels]: with their first difference, where `difference` is set.

        earlier: [N, T, width], the row before each; by default the first has none, and so no difference.
        """
        if not self.difference:
            return rows
        if earlier is None:
            earlier = torch.cat((rows[:, :1], rows[:, :-1]), dim=1)
        return torch.cat((rows, rows - earlier), dim=2)

    def normalise(self, rows: torch.Tensor) -> torch.Tensor:
        """[N, T, out_channels] -> the same with mean 0 and deviation 1 on the training part."""
        return (rows - self.mean) / self.deviation

    def whole(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows float32 [N, T, width] -> step features [N, T // stride, out_channels] in a single pass."""
        x = self.dropout(self.normalise(self.spread(rows)))
        x = F.pad(self._steps(x).transpose(1, 2), (self.context, self.context))
        inside = F.pad(x.new_ones(1, 1, x.shape[2] - 2 * self.context), (self.context, self.context))
        return self._pooled(x, inside).transpose(1, 2)

    def forward(
        self, rows: torch.Tensor, position: torch.Tensor, length: torch.Tensor, *past: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """One chunk: see IncrementalExtractor.forward, with rows float32 [N, T, width] instead of frames.

        position: may be negative: what comes before row 0 is no part of the stream.

        Returns features of steps position / stride - context onwards, then the next state.
        """
        states = list(past)
        following: list[torch.Tensor] = []
        earlier: torch.Tensor | None = None
        if self.difference:
            earlier = torch.cat((states.pop(0), rows[:, :-1]), dim=1)
            number = position[:, None] + torch.arange(rows.shape[1], device=rows.device)[None, :]
            earlier = torch.where((number == 0)[:, :, None], rows, earlier)
            following.append(rows[:, -1:])
        steps = self._steps(self.normalise(self.spread(rows, earlier)))
        all_steps = torch.cat((states.pop(0), steps), dim=1) if self.context else steps
        if self.context:
            following.append(all_steps[:, -2 * self.context :])
        first = torch.div(position, self.stride, rounding_mode="trunc") - 2 * self.context
        index = first[:, None] + torch.arange(all_steps.shape[1], device=rows.device)[None, :]
        last = torch.div(length, self.stride, rounding_mode="trunc")
        inside = ((index >= 0) & (index < last[:, None])).to(all_steps.dtype)[:, None, :]  # [N, 1, n]
        pooled = self._pooled(all_steps.transpose(1, 2) * inside, inside)
        return (pooled.transpose(1, 2), *following)

    def _pooled(self, x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """Steps [N, C, n + 2 context], zeros outside the stream, which `inside` [N, 1, ...] marks -> [N, C, n]."""
        if self.convolution is not None:
            return F.relu(self.convolution(x))
        size = 2 * self.context + 1
        # Steps outside the stream are excluded: the mean is over those inside.
        counts = F.avg_pool1d(inside, size, 1).clamp(min=1 / (2 * size))
        return F.avg_pool1d(x, size, 1) / counts

    def _steps(self, rows: torch.Tensor) -> torch.Tensor:
        """[N, T, C] -> [N, T // stride, C]: the mean of each step's rows."""
        count = rows.shape[1] // self.stride
        return rows[:, : count * self.stride].reshape(rows.shape[0], count, self.stride, rows.shape[2]).mean(dim=2)

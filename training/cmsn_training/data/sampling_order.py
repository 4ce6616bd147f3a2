"""The order in which a dataset's items are drawn: new numbers each epoch, the same in every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized

import numpy as np
import torch.distributed
from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """Yields epoch * len(dataset) + i, shuffled by (seed, epoch).

    Datasets that draw at random use this number as their seed.
    epoch: asked when the first number of an epoch is drawn. Lightning's own mechanism, `set_epoch`, comes too late
    for the first epoch of a resumed run, which would then repeat epoch 0.
    Where several processes train together, each takes every world-size-th number; the last few are dropped in an epoch
    that does not divide evenly.
    """

    def __init__(self, dataset: Sized, *, seed: int, epoch: Callable[[], int]) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.dataset) // _processes()[1]

    def __iter__(self) -> Iterator[int]:
        rank, count = _processes()
        epoch = self.epoch()
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.dataset))
        numbers = order + epoch * len(self.dataset)
        yield from numbers[rank : len(self) * count : count].tolist()


def _processes() -> tuple[int, int]:
    """This process's rank, and the number of processes that train together."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()

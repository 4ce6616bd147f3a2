"""The order in which a dataset's items are drawn: new numbers each epoch, the same in every run."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """Yields epoch * len(dataset) + i, shuffled by (seed, epoch).

    Datasets that draw at random seed themselves with this number. Lightning calls `set_epoch` before each epoch.
    """

    def __init__(self, dataset: Sized, *, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.dataset))
        return iter((order + self.epoch * len(self.dataset)).tolist())

    def set_epoch(self, epoch: int) -> None:
        """Move on to another epoch's numbers."""
        self.epoch = epoch

"""The order in which a run sees its items."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class EpochShuffle(Sampler[int]):
    """A permutation that depends on the seed and the epoch alone, so that a resumed run sees the
    items in the order in which an unbroken one does. Lightning calls `set_epoch`.

    Yields `epoch * length + item`: the item is the remainder, and the whole number is the same in
    no two steps of a run, so that it can seed the item's augmentation. Of several processes, each
    gets every world-size-th item, as many as the others.
    """

    def __init__(self, length: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self._length = length
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return self._length // self._world_size

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self._epoch))
        mine = random.permutation(self._length)[self._rank :: self._world_size][: len(self)]
        return iter((self._epoch * self._length + mine).tolist())

"""How much a map jumps at the borders of tiles."""

import numpy as np
from numpy.typing import NDArray


def border_discontinuity(probability: NDArray[np.float32], tile_px: int) -> float:
    """The mean jump between neighbours on two sides of a border, over that between all others.

    Vessels jump everywhere; 1 says that borders do no more.

    Args:
        probability: (H, W), larger than a tile.
        tile_px: tiles begin at its multiples.
    """
    at, elsewhere = [], []
    for map_ in (probability, probability.T):
        jumps = np.abs(np.diff(map_, axis=0))
        border = np.arange(1, len(map_)) % tile_px == 0
        at.append(jumps[border])
        elsewhere.append(jumps[~border])
    usual = np.concatenate([one.ravel() for one in elsewhere]).mean()
    return float(np.concatenate([one.ravel() for one in at]).mean() / max(usual, 1e-12))

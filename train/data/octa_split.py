"""Which eyes are for training and which for test."""

import numpy as np

TRAIN_SHARE = 0.7  # of ASR-IPN-V2's paper


def split(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Places of training and test eyes, 7:3 at random, each in order; the seed decides."""
    order = np.random.default_rng(seed).permutation(count).tolist()
    cut = round(count * TRAIN_SHARE)
    return sorted(order[:cut]), sorted(order[cut:])

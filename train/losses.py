"""What a network is trained to lower, by name.

Source of BCE + weight * (1 - J), J the soft Jaccard index: Laibacher et al. 2019 (M2U-Net),
equations 1-3, after Iglovikov et al. 2018.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from edge_vessel.errors import UsageError

_EPSILON = 1e-7

Loss = Callable[[Tensor, Tensor], Tensor]


def soft_jaccard(probability: Tensor, label: Tensor) -> Tensor:
    """Sum of y p over sum of y + p - y p, over the whole batch: a scalar in [0, 1]."""
    intersection = (probability * label).sum()
    union = probability.sum() + label.sum() - intersection
    return (intersection + _EPSILON) / (union + _EPSILON)


def bce(logits: Tensor, label: Tensor) -> Tensor:
    """Binary cross-entropy, computed in float32, of logits (N, 1, H, W) and label in [0, 1]."""
    return F.binary_cross_entropy_with_logits(logits.float(), label.float())


def bce_jaccard(logits: Tensor, label: Tensor, jaccard_weight: float = 0.3) -> Tensor:
    """The loss of M2U-Net, computed in float32.

    Args:
        logits: (N, 1, H, W), any float type.
        label: (N, 1, H, W), the share of vessel in [0, 1].
        jaccard_weight: the share of 1 - J; 0.3 in the paper.
    """
    logits, label = logits.float(), label.float()
    return bce(logits, label) + jaccard_weight * (1.0 - soft_jaccard(torch.sigmoid(logits), label))


LOSSES: dict[str, Loss] = {"bce": bce, "bce_jaccard": bce_jaccard}


def find(name: str) -> Loss:
    """The loss of that name.

    Raises:
        UsageError: the name is not in the registry.
    """
    if name not in LOSSES:
        raise UsageError(f"unknown loss {name!r}; known: {', '.join(sorted(LOSSES))}")
    return LOSSES[name]

"""BCE + weight * (1 - J) with the soft Jaccard index J.

Source: Laibacher et al. 2019 (M2U-Net), equations 1-3, after Iglovikov et al. 2018.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_EPSILON = 1e-7


def soft_jaccard(probability: Tensor, label: Tensor) -> Tensor:
    """Sum of y p over sum of y + p - y p, over the whole batch: a scalar in [0, 1]."""
    intersection = (probability * label).sum()
    union = probability.sum() + label.sum() - intersection
    return (intersection + _EPSILON) / (union + _EPSILON)


def bce_jaccard(logits: Tensor, label: Tensor, jaccard_weight: float = 0.3) -> Tensor:
    """The loss of M2U-Net, computed in float32.

    Args:
        logits: (N, 1, H, W), any float type.
        label: (N, 1, H, W), 0 or 1.
        jaccard_weight: the share of 1 - J; 0.3 in the paper.
    """
    logits, label = logits.float(), label.float()
    bce = F.binary_cross_entropy_with_logits(logits, label)
    return bce + jaccard_weight * (1.0 - soft_jaccard(torch.sigmoid(logits), label))

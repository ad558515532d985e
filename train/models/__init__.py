"""The networks, by name.

A network is an `nn.Module` from (N, 3, H, W) float32 RGB in [-1, 1] to (N, 1, H, W) float32 logits,
with two attributes more: `multiple`, what H and W must be multiples of, and `head`, the last
convolution, transposed convolution or batch norm, whose scale and shift are the logits' own. One
that learns from more than its last map has `training_logits(image) -> tuple of logits` too.
"""

import inspect
from collections.abc import Sequence

from torch import nn

from edge_vessel.errors import UsageError
from train.models.erfnet import ERFNet
from train.models.m2unet import M2UNet
from train.models.skunet import SKUNet
from train.models.unet import UNet
from train.models.unet_dropblock import UNetDropBlock
from train.models.wnet import WNet, WNetUNet

MODELS: dict[str, type[nn.Module]] = {
    "m2unet": M2UNet,
    "unet": UNet,
    "erfnet": ERFNet,
    "unet_dropblock": UNetDropBlock,
    "skunet": SKUNet,
    "wnet_unet": WNetUNet,
    "wnet": WNet,
}


def create(name: str, **options: float | Sequence[int]) -> nn.Module:
    """A fresh network of the registry; `options` are its class's arguments.

    Raises:
        UsageError: the name is not in the registry, or the network lacks an option.
    """
    if name not in MODELS:
        raise UsageError(f"unknown model {name!r}; known: {', '.join(sorted(MODELS))}")
    known = inspect.signature(MODELS[name]).parameters
    for option in options:
        if option not in known:
            listed = ", ".join(known) or "none"
            raise UsageError(f"{name}: unknown option {option!r}; known: {listed}")
    return MODELS[name](**options)

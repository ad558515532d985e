"""The networks, by name.

A network is an `nn.Module` from (N, 3, H, W) float32 RGB in [-1, 1] to (N, 1, H, W) float32 logits,
with two attributes more: `multiple`, what H and W must be multiples of, and `head`, the last
convolution, transposed convolution or batch norm, whose scale and shift are the logits' own. One
that learns from more than its last map has `training_logits(image) -> tuple of logits` too.

Those of `OCTA_MODELS` see (N, channels, depth, H, W) float32 volumes in [-1, 1] instead, and say in
`channels` and `depth` which; at a depth of 1 they take (N, channels, H, W) projections.
"""

import inspect
from collections.abc import Sequence

from torch import nn

from edge_vessel.errors import EdgeVesselError, UsageError
from train.models.asr_ipn_v2 import ASRIPNV2
from train.models.erfnet import ERFNet
from train.models.ipn import IPN
from train.models.ipn_v2 import IPNV2
from train.models.ipn_v2_plus import IPNV2Plus
from train.models.m2unet import M2UNet
from train.models.plane_unet import PlaneUNet
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

OCTA_MODELS: dict[str, type[nn.Module]] = {
    "plane_unet": PlaneUNet,
    "ipn": IPN,
    "ipn_v2": IPNV2,
    "ipn_v2_plus": IPNV2Plus,
    "asr_ipn_v2": ASRIPNV2,
}


def create(name: str, **options: float | str | Sequence[int]) -> nn.Module:
    """A fresh network of either registry; `options` are its class's arguments.

    Raises:
        UsageError: the name is in neither registry, the network lacks an option, or cannot be made
            with its value.
    """
    networks = MODELS | OCTA_MODELS
    if name not in networks:
        raise UsageError(f"unknown model {name!r}; known: {', '.join(sorted(networks))}")
    known = inspect.signature(networks[name]).parameters
    for option in options:
        if option not in known:
            listed = ", ".join(known) or "none"
            raise UsageError(f"{name}: unknown option {option!r}; known: {listed}")
    try:
        return networks[name](**options)
    except EdgeVesselError:
        raise
    except Exception as error:  # each layer has words of its own for a width of 0, or of "wide"
        given = ", ".join(f"{option} {value!r}" for option, value in options.items())
        raise UsageError(f"{name}: cannot be made with {given}") from error

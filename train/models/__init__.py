"""The networks, by name."""

from torch import nn

from edge_vessel.errors import UsageError
from train.models.m2unet import M2UNet

MODELS: dict[str, type[nn.Module]] = {"m2unet": M2UNet}


def create(name: str) -> nn.Module:
    """A fresh network of the registry.

    Raises:
        UsageError: the name is not in the registry.
    """
    if name not in MODELS:
        raise UsageError(f"unknown model {name!r}; known: {', '.join(sorted(MODELS))}")
    return MODELS[name]()

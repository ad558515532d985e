"""What is done to a photograph before the network learns from it.

`paper` works on batches on the network's device, `camera` on single crops in the loader's
processes, `offline` writes the larger training set of the SKU-Net paper to memory once.
"""

from torch import Tensor, nn

from edge_vessel.errors import UsageError
from train.augmentation.paper import PaperAugmentation


class NoAugmentation(nn.Module):
    """Leaves a batch as it is: the loader has done the work, or nothing is wanted."""

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        return image, label


BATCH_AUGMENTATIONS: dict[str, type[nn.Module]] = {
    "paper": PaperAugmentation,
    "none": NoAugmentation,
}


def on_batches(name: str) -> nn.Module:
    """The augmentation of that name.

    Raises:
        UsageError: the name is not in the registry.
    """
    if name not in BATCH_AUGMENTATIONS:
        known = ", ".join(sorted(BATCH_AUGMENTATIONS))
        raise UsageError(f"unknown augmentation {name!r}; known: {known}")
    return BATCH_AUGMENTATIONS[name]()

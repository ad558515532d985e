"""ImageNet weights for an encoder: from a file, or torchvision's own."""

from pathlib import Path

from torch import Tensor, nn

from edge_vessel.errors import UsageError
from train.tensor_file import load_tensors

TORCHVISION = "torchvision"


def _read(source: str) -> dict[str, Tensor]:
    if source == TORCHVISION:
        try:
            from torchvision.models import MobileNet_V2_Weights
        except ImportError as error:
            raise UsageError(
                "--encoder-weights torchvision: torchvision is not installed; "
                "pip install torchvision, or name a file"
            ) from error
        weights: dict[str, Tensor] = MobileNet_V2_Weights.IMAGENET1K_V1.get_state_dict()
        return weights
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"{path}: no such weights file; name one, or 'torchvision' to download")
    return load_tensors(path, "a file of PyTorch weights")


def load_into(network: nn.Module, source: str) -> None:
    """Loads the encoder of `network` from a file or, for "torchvision", from its download.

    Raises:
        UsageError: the file is missing, unreadable, or does not fit the encoder.
    """
    load = getattr(getattr(network, "encoder", None), "load_imagenet", None)
    if load is None:
        raise UsageError(
            f"--encoder-weights {source}: {type(network).__name__} takes no ImageNet weights"
        )
    try:
        load(_read(source))
    except RuntimeError as error:
        raise UsageError(f"{source}: does not fit the encoder: {error}") from error

"""A teacher, or several of them, whose probabilities a smaller network learns beside the labels.

Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, for one class
and at temperature 1.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from train.models.checkpoint import load_checkpoint


class Teachers(nn.Module):
    """The mean of the probabilities of several networks, as (N, 1, H, W) float32."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(
            [
                load_checkpoint(Path(path)).network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
                for path in paths
            ]
        )
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """image (N, 3, H, W) float32 in [-1, 1]."""
        found = [torch.sigmoid(network(image).float()) for network in self.networks]
        return torch.stack(found).mean(dim=0)

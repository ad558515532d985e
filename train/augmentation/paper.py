"""The augmentations of the M2U-Net paper, on batches, with kornia."""

import kornia.augmentation as K
from torch import Tensor, nn


class PaperAugmentation(nn.Module):
    """Rotation +-15 degrees, flips, elastic distortion, and colour jitter.

    Brightness 0.3, contrast 0.3, saturation 0.02, hue 0.02. Source: Laibacher et al. 2019,
    section 4; strengths of the elastic distortion are not given there: displacements of a few
    pixels, smooth over a tenth of the frame.
    """

    def __init__(self) -> None:
        super().__init__()
        self.geometry = K.AugmentationSequential(
            K.RandomHorizontalFlip(p=0.5),
            K.RandomVerticalFlip(p=0.5),
            K.RandomRotation(15.0, p=0.75),
            K.RandomElasticTransform((49, 49), (12.0, 12.0), (2.5, 2.5), p=0.25),
            data_keys=["input", "mask"],
        )
        self.colour = K.ColorJiggle(brightness=0.3, contrast=0.3, saturation=0.02, hue=0.02, p=0.75)

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """image (N, 3, H, W) float32 in [0, 1], label (N, 1, H, W) float32 of 0 and 1."""
        image, label = self.geometry(image, label)
        return self.colour(image).clamp(0.0, 1.0), label

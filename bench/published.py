"""What others have published of power, to stand beside our own figures as theirs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedPower:
    """Watts of a whole board, as its authors print them."""

    source: str
    board: str
    idle_w: float
    loaded_w: float

    def __str__(self) -> str:
        return (
            f"{self.source}, {self.board}: {self.idle_w:g} W idle, {self.loaded_w:g} W loaded "
            "(published by its authors, not measured here)"
        )


# Laibacher, Weyde, Jalali, "M2U-Net: Effective and Efficient Retinal Vessel Segmentation for
# Real-World Applications", CVPR Workshops 2019.
LAIBACHER_2019 = PublishedPower("Laibacher et al. 2019", "RK3399", 3.6, 9.6)

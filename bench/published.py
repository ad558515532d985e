"""What others have published, to stand beside our own figures as theirs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedPower:
    """Watts of a whole board, as its authors print them."""

    source: str
    board: str
    idle_w: float
    loaded_w: float


@dataclass(frozen=True)
class PublishedNetwork:
    """Of one network: Dice of the full frame at the best threshold of the test photographs, each
    data set with weights of its own; multiply-adds of a frame of 544x544."""

    source: str
    name: str
    parameters: float
    multiply_adds: float | None
    dice: dict[str, float]


# Laibacher, Weyde, Jalali, "M2U-Net: Effective and Efficient Retinal Vessel Segmentation for
# Real-World Applications", CVPR Workshops 2019, and the baselines that it trains beside its own.
LAIBACHER_2019 = PublishedPower("Laibacher et al. 2019", "RK3399", 3.6, 9.6)
LAIBACHER_2019_RANGE = (
    "Laibacher et al. 2019: 0.6 to 15 s a photograph on an ARM board, depending on the resolution "
    "(published by its authors, not measured here)"
)
NETWORKS = (
    PublishedNetwork(
        "Laibacher et al. 2019",
        "M2U-Net",
        0.55e6,
        1.4e9,
        {"drive": 0.8091, "chase_db1": 0.8006, "hrf": 0.7814},
    ),
    PublishedNetwork("Laibacher et al. 2019", "U-Net", 31.03e6, 246.6e9, {"drive": 0.7941}),
    PublishedNetwork(
        "Laibacher et al. 2019", "ERFNet", 2.06e6, None, {"drive": 0.8022, "chase_db1": 0.7994}
    ),
)

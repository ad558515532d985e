"""What a vessel map of OCTA says of an eye."""

import cv2
import numpy as np
from numpy.typing import NDArray


def vessel_density_percent(vessels: NDArray[np.bool_]) -> float:
    """Vessel pixels over all pixels of the map (H, W), in percent; 0 to 100."""
    return 100.0 * float(vessels.mean())


def faz_area_px(faz: NDArray[np.bool_]) -> int:
    """Pixels of the foveal avascular zone: the largest connected part (8 neighbours) of the map
    (H, W), as specks elsewhere are none of it."""
    _, _, statistics, _ = cv2.connectedComponentsWithStats(faz.astype(np.uint8), connectivity=8)
    return int(statistics[1:, cv2.CC_STAT_AREA].max(initial=0))


def area_mm2(pixels: int, shape: tuple[int, int], field_mm: tuple[float, float]) -> float:
    """Of `pixels` of a map of `shape` (height, width) that shows `field_mm` (height, width)."""
    return pixels * field_mm[0] * field_mm[1] / (shape[0] * shape[1])

"""Results as the pipeline hands them to the sinks."""

from typing import Literal

import numpy as np

from edge_vessel.field_of_view import FieldOfView
from edge_vessel.segmenter import Segmentation
from edge_vessel.sinks.base import Result
from edge_vessel.sources.base import Frame

HEIGHT, WIDTH = 120, 160
FOV = FieldOfView(80.0, 60.0, 50.0)


def make_result(
    index: int = 0,
    name: str = "eye.jpg",
    status: Literal["ok", "no_fundus"] = "ok",
    height: int = HEIGHT,
    width: int = WIDTH,
    background: tuple[int, int, int] = (160, 60, 20),
) -> Result:
    """A fundus in one colour with one vessel: a bar of 6 by 80 pixels, (3, 40)..(3, 40) off its
    centre, and a hair of one pixel's width."""
    image = np.full((height, width, 3), background, np.uint8)
    frame = Frame(index, name, image, captured_s=1_767_225_600.25, capture_ms=2.0)
    probability = np.zeros((height, width), np.float32)
    if status == "ok":
        probability[height // 2 - 3 : height // 2 + 3, width // 2 - 40 : width // 2 + 40] = 0.75
        probability[height // 4, width // 2 - 20 : width // 2 + 20] = 1.0
    found = Segmentation(
        status=status,
        probability=probability,
        mask=probability >= 0.5,
        fov=FOV if status == "ok" else None,
        preprocess_ms=1.0,
        inference_ms=5.0,
        postprocess_ms=0.5,
    )
    return Result(frame, found, dropped=3, total_ms=9.0)

"""The picture of the landmarks."""

import numpy as np
from vessel_drawings import star

from edge_vessel.vessels import Field, analyse
from edge_vessel.vessels.drawing import LANDMARK_RGB, LINE_RGB, draw_landmarks


def test_marks_stand_where_the_landmarks_are():
    mask = star((200, 200.5), 120, (180, 9), (-35, 7), (40, 6))
    found = analyse(mask, Field.of_frame(*mask.shape))
    image = np.zeros((*mask.shape, 3), np.uint8)
    drawn = draw_landmarks(image, found.graph, found.landmarks)
    assert not image.any()
    assert np.abs(drawn[200, 130].astype(int) - LINE_RGB).max() < 50  # drawn smoothly
    for one in found.landmarks:
        around = drawn[int(one.y_px) - 4 : int(one.y_px) + 5, int(one.x_px) - 4 : int(one.x_px) + 5]
        assert (around == LANDMARK_RGB[one.kind]).all(axis=2).any(), one


def test_nothing_is_drawn_of_nothing():
    found = analyse(np.zeros((30, 40), bool), Field.of_frame(30, 40))
    image = np.full((30, 40, 3), 90, np.uint8)
    assert (draw_landmarks(image, found.graph, found.landmarks) == image).all()

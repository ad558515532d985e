"""The board of all tests in this folder, and the photographs that its camera plays."""

import os
from pathlib import Path

import cv2
import pytest
from board import Board
from needs import unavailable

from deploy.board import image as images
from edge_vessel.errors import UsageError
from edge_vessel.sources.synthetic import draw_fundus


@pytest.fixture(scope="session")
def board() -> Board:
    """The emulated board; its image is made once for all tests, and kept."""
    try:
        return Board(images.prepare(images.default_folder()))
    except UsageError as error:
        unavailable(str(error))


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A share for the board whose folder `images` holds three JPEGs of 996x960 pixels.

    They are CHASE_DB1's where EDGE_VESSEL_DATA names the data sets, drawn ones elsewhere.
    """
    folder = tmp_path / "images"
    folder.mkdir()
    data = os.environ.get("EDGE_VESSEL_DATA")
    if data:
        files = sorted((Path(data) / "CHASE_DB1").glob("Image_0[123]L.jpg"))
        images = [cv2.imread(str(file), cv2.IMREAD_COLOR_BGR)[:, :996] for file in files]
    else:
        images = [draw_fundus(960, 996, seed)[..., ::-1] for seed in range(3)]
    assert len(images) == 3
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f"{number}.jpg"), image)
    return tmp_path

"""What runs a network."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """A loaded network: the camera's bytes in, probabilities out."""

    name: str
    version: str
    threads: int

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """image (H, W, 3) uint8 RGB of the network's size -> probability (H, W) float32 in [0, 1].

        Raises:
            DeviceError: the engine failed (out of memory, accelerator gone).
        """

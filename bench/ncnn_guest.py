"""One ncnn network twice, the second time between the marks of the counting plugin.

Runs in an arm64 Python under QEMU: `ncnn_guest.py MARKS.so NETWORK.param SIDE`.
"""

import ctypes
import sys
from pathlib import Path

import ncnn
import numpy as np


def main(marks_library: str, network: str, side: str) -> None:
    """ncnn's own options but for the one thread, as its benchmark sets them."""
    marks = ctypes.CDLL(marks_library)
    net = ncnn.Net()
    net.opt.num_threads = 1
    if net.load_param(network) or net.load_model(str(Path(network).with_suffix(".bin"))):
        sys.exit(f"error: {network}: ncnn cannot load it")
    content = np.random.default_rng(0).random((3, int(side), int(side)), dtype=np.float32)
    image = ncnn.Mat(content).clone()
    source, sink = net.input_names()[0], net.output_names()[0]
    for call in range(2):
        if call:
            marks.begin()
        with net.create_extractor() as extractor:
            extractor.input(source, image)
            failed, found = extractor.extract(sink)
        if call:
            marks.end()
        if failed or not np.isfinite(np.array(found)).all():
            sys.exit(f"error: {network}: ncnn gives no result")


if __name__ == "__main__":
    main(*sys.argv[1:])

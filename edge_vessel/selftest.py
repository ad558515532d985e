"""The golden self-test: does this machine compute what the workstation computed?"""

import io
import time
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_vessel import engines
from edge_vessel.artifact import Artifact
from edge_vessel.errors import ArtifactError

GOLDEN = "golden.npz"
TOLERANCE = 2e-3  # largest difference in probability, float32 arithmetic
# int8 and fp16 round to other levels than float32, which single pixels show and the mean does not.
COARSE_TOLERANCE = 5e-3  # mean difference in probability
# An .npy header of version 1.0 for these arrays is 128 bytes; more is not one of ours.
MAX_HEADER_BYTES = 1024
# What zipfile and numpy raise on damaged bytes; numpy reads an odd header with Python's tokenizer.
UNREADABLE = (
    ValueError,
    TypeError,
    RuntimeError,
    EOFError,
    OSError,
    SyntaxError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)


@dataclass(frozen=True)
class SelfTest:
    """Differences are in probability; `inference_ms` is the second of two runs.

    `tolerance` is for the largest difference, for int8 and fp16 arithmetic for the mean.
    """

    max_abs_difference: float
    mean_abs_difference: float
    tolerance: float
    passed: bool
    inference_ms: float


@dataclass(frozen=True)
class Golden:
    """`image` (H, W, 3) uint8 RGB of the network's size, `probability` (H, W) float16."""

    image: NDArray[np.uint8]
    probability: NDArray[np.float16]


def run_selftest(artifact: Artifact, threads: int) -> SelfTest:
    """Runs the golden image twice and compares both results with the golden probabilities.

    Raises:
        ArtifactError: golden.npz is missing or not of the manifest's shape, the artifact does not
            fit this machine, or the network's output is of another shape.
        DeviceError: the engine failed.
    """
    size = artifact.manifest.input
    golden = load_golden(artifact.read(GOLDEN), size.height, size.width, artifact.folder / GOLDEN)
    engine = engines.create(artifact, threads)
    first = engine.run(golden.image)
    start = time.perf_counter()
    second = engine.run(golden.image)
    inference_ms = (time.perf_counter() - start) * 1000
    for result in (first, second):
        if result.shape != golden.probability.shape:
            raise ArtifactError(
                f"{artifact.folder}: the network's output is {result.shape}, not "
                f"{golden.probability.shape}; build the artifact again"
            )
    expected = golden.probability.astype(np.float32)
    # np.maximum keeps NaN, and NaN <= tolerance is False: a broken network cannot pass.
    difference = np.maximum(np.abs(first - expected), np.abs(second - expected))
    largest, mean = float(difference.max()), float(difference.mean())
    if artifact.manifest.model.precision == "fp32":
        tolerance, passed = TOLERANCE, largest <= TOLERANCE
    else:
        tolerance, passed = COARSE_TOLERANCE, mean <= COARSE_TOLERANCE
    return SelfTest(largest, mean, tolerance, passed, inference_ms)


def load_golden(content: bytes, height: int, width: int, path: Path) -> Golden:
    """Reads golden.npz; each array's size is checked before any of it is unpacked.

    Raises:
        ArtifactError: not an npz of exactly `image` and `probability` of this size and type.
            Pickled objects are never loaded.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = sorted(archive.namelist())
            if names != ["image.npy", "probability.npy"]:
                raise ValueError(f"it holds {ascii(names)[:100]}")
            image = _read_array(archive, "image.npy", (height, width, 3), np.dtype(np.uint8))
            probability = _read_array(
                archive, "probability.npy", (height, width), np.dtype(np.float16)
            )
    except UNREADABLE as error:
        raise ArtifactError(
            f"{path}: is not the golden pair of {height}x{width}: {error}; build the artifact again"
        ) from error
    return Golden(image, probability)


def _read_array(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    largest = int(np.prod(shape)) * dtype.itemsize + MAX_HEADER_BYTES
    member = archive.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is packed by method {member.compress_type}")
    if member.file_size > largest:
        raise ValueError(f"{name} unpacks to {member.file_size} bytes, at most {largest} expected")
    with archive.open(member) as file:
        # zipfile stops at the declared size, so a lying directory entry unpacks no more than this.
        unpacked = io.BytesIO(file.read(largest))
    if np.lib.format.read_magic(unpacked) != (1, 0):
        raise ValueError(f"{name} is not of npy format 1.0")
    # The header alone decides what numpy allocates: it is compared before the array is read.
    found_shape, fortran, found_dtype = np.lib.format.read_array_header_1_0(unpacked)
    if fortran or found_shape != shape or found_dtype != dtype:
        raise ValueError(f"{name} is {found_dtype} {ascii(found_shape)[:60]}, not {dtype} {shape}")
    unpacked.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(unpacked, allow_pickle=False)
    return array

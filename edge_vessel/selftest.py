"""The golden self-test: does this machine compute what the workstation computed?"""

import io
import time
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_vessel import engines
from edge_vessel.artifact import Artifact
from edge_vessel.errors import ArtifactError
from edge_vessel.manifest import OctaManifest
from edge_vessel.octa.segmenter import OctaSegmenter
from edge_vessel.octa.stacks import ArrayStack
from edge_vessel.octa.volume import Volume

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


_Prepared = tuple[NDArray[np.float16], Callable[[], NDArray[np.float32]]]
"""The golden probabilities, and the network on the golden input."""


def run_selftest(artifact: Artifact, threads: int) -> SelfTest:
    """Runs the golden input twice and compares both results with the golden probabilities.

    Raises:
        ArtifactError: golden.npz is missing or not of the manifest's shape, the artifact does not
            fit this machine, or the network's output is of another shape.
        DeviceError: the engine failed.
    """
    is_octa = isinstance(artifact.manifest, OctaManifest)
    golden, run = (_octa if is_octa else _fundus)(artifact, threads)
    first = run()
    start = time.perf_counter()
    second = run()
    inference_ms = (time.perf_counter() - start) * 1000
    for result in (first, second):
        if result.shape != golden.shape:
            raise ArtifactError(
                f"{artifact.folder}: the network's output is {result.shape}, not "
                f"{golden.shape}; build the artifact again"
            )
    expected = golden.astype(np.float32)
    # np.maximum keeps NaN, and NaN <= tolerance is False: a broken network cannot pass.
    difference = np.maximum(np.abs(first - expected), np.abs(second - expected))
    largest, mean = float(difference.max()), float(difference.mean())
    if artifact.manifest.model.precision == "fp32":
        tolerance, passed = TOLERANCE, largest <= TOLERANCE
    else:
        tolerance, passed = COARSE_TOLERANCE, mean <= COARSE_TOLERANCE
    return SelfTest(largest, mean, tolerance, passed, inference_ms)


def load_golden(content: bytes, height: int, width: int, path: Path) -> Golden:
    """Reads golden.npz of a network for photographs.

    Raises:
        ArtifactError: not an npz of exactly `image` and `probability` of this size and type.
    """
    return Golden(*_load_pair(content, "image", (height, width, 3), (height, width), path))


def load_golden_patch(artifact: Artifact) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Of a network for volumes: the patch (channels, depth, height, width) uint8 and the
    probabilities (classes, height, width) float16.

    Raises:
        UsageError: the artifact takes photographs.
        ArtifactError: not an npz of exactly `patch` and `probability` of this size and type.
    """
    manifest = artifact.octa
    shape = manifest.input.shape
    expected = (len(manifest.output.classes), *shape[2:])
    return _load_pair(artifact.read(GOLDEN), "patch", shape, expected, artifact.folder / GOLDEN)


def _fundus(artifact: Artifact, threads: int) -> _Prepared:
    size = artifact.fundus.input
    golden = load_golden(artifact.read(GOLDEN), size.height, size.width, artifact.folder / GOLDEN)
    engine = engines.create(artifact, threads)
    return golden.probability, lambda: engine.run(golden.image)


def _octa(artifact: Artifact, threads: int) -> _Prepared:
    patch, probability = load_golden_patch(artifact)
    segmenter = OctaSegmenter(artifact, threads)
    volume = Volume(GOLDEN, GOLDEN, tuple(ArrayStack(channel, GOLDEN) for channel in patch))
    return probability, lambda: segmenter.segment(volume).probabilities


def _load_pair(
    content: bytes, given: str, shape: tuple[int, ...], expected: tuple[int, ...], path: Path
) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Reads golden.npz; each array's size is checked before any of it is unpacked. Pickled objects
    are never loaded."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = sorted(archive.namelist())
            if names != [f"{given}.npy", "probability.npy"]:
                raise ValueError(f"it holds {ascii(names)[:100]}")
            values = _read_array(archive, f"{given}.npy", shape, np.dtype(np.uint8))
            probability = _read_array(archive, "probability.npy", expected, np.dtype(np.float16))
    except UNREADABLE as error:
        size = "x".join(map(str, expected[-2:]))
        raise ArtifactError(
            f"{path}: is not the golden pair of {size}: {error}; build the artifact again"
        ) from error
    return values, probability


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

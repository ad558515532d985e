"""ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge_vessel.artifact import Artifact
from edge_vessel.errors import ArtifactError, DeviceError
from edge_vessel.preprocessing import normalise

MODEL_FILE = "model.onnx"
# ONNX Runtime's memory arena saves a third of the time of a small frame, which is spent on fresh
# pages; for whole photographs of 8 megapixels it doubles the memory, on boards that have 2 GB.
ARENA_PIXELS = 1 << 20


class OnnxEngine:
    """Runs `model.onnx`: the camera's bytes (1, H, W, 3) in, probabilities (1, 1, H, W) out.

    A model that takes float32 (1, 3, H, W) instead, as its manifest says, gets the bytes scaled.

    The session takes the verified bytes, never a path.
    """

    name = "onnx"
    version: str = onnxruntime.__version__

    def __init__(self, artifact: Artifact, threads: int) -> None:
        self.threads = threads
        self._input = artifact.fundus.input
        small = self._input.height * self._input.width <= ARENA_PIXELS
        self._session = open_session(artifact, threads, arena=small)
        self._name = self._session.get_inputs()[0].name
        height, width = self._input.height, self._input.width
        self._bytes_in = self._input.dtype == "uint8"
        expected = [1, height, width, 3] if self._bytes_in else [1, 3, height, width]
        shape = list(self._session.get_inputs()[0].shape)
        kind = self._session.get_inputs()[0].type
        if kind != f"tensor({'uint8' if self._bytes_in else 'float'})":
            raise ArtifactError(
                f"{artifact.folder / MODEL_FILE}: takes {kind}, its manifest says "
                f"{self._input.dtype}; export it again"
            )
        fits = len(shape) == 4 and all(
            not isinstance(have, int) or have == want
            for have, want in zip(shape, expected, strict=True)
        )
        if not fits:
            raise ArtifactError(
                f"{artifact.folder / MODEL_FILE}: takes {shape}, its manifest says {expected}; "
                "export it again"
            )
        outputs = [list(output.shape) for output in self._session.get_outputs()]
        # ONNX Runtime gives no sizes where the rank is open.
        if len(outputs) != 1 or (outputs[0] and not _is_map(outputs[0])):
            raise ArtifactError(
                f"{artifact.folder / MODEL_FILE}: gives {outputs}, not one map (1, 1, H, W); "
                "export it again"
            )

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.run`."""
        pixels = image if self._bytes_in else self._scaled(image)
        output = run_session(self._session, self._name, pixels[None])
        if not _is_map(list(output.shape)):
            raise ArtifactError(
                f"{MODEL_FILE}: gave {list(output.shape)}, not one map (1, 1, H, W); "
                "export it again"
            )
        probability: NDArray[np.float32] = output[0, 0]
        return probability

    def _scaled(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return normalise(image, self._input.scale, self._input.offset)


def open_session(artifact: Artifact, threads: int, arena: bool) -> onnxruntime.InferenceSession:
    """`model.onnx` of a verified artifact, loaded.

    Raises:
        ArtifactError: there is none, or ONNX Runtime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = arena
    options.log_severity_level = 4
    content = artifact.read(MODEL_FILE)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no public base
        raise ArtifactError(
            f"{artifact.folder / MODEL_FILE}: ONNX Runtime {onnxruntime.__version__} cannot load "
            f"it: {_first_line(error)}"
        ) from error


def run_session(
    session: onnxruntime.InferenceSession, name: str, values: NDArray[Any]
) -> NDArray[np.float32]:
    """The one output for the input `name`.

    Raises:
        DeviceError: ONNX Runtime failed.
    """
    try:
        (output,) = session.run(None, {name: values})
    except Exception as error:
        raise DeviceError(f"ONNX Runtime failed: {_first_line(error)}") from error
    found: NDArray[np.float32] = output
    return found


def _is_map(shape: list[int | str | None]) -> bool:
    return len(shape) == 4 and all(size == 1 or not isinstance(size, int) for size in shape[:2])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

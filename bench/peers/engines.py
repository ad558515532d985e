"""The engines to stand beside, each in float32 and set up as its own documentation says."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Form = Literal["onnx", "checkpoint", "ncnn", "tflite"]
Run = Callable[[], NDArray[np.float32]]
"""One inference: a probability for each pixel, H x W values in any shape."""


@dataclass(frozen=True)
class Peer:
    """An engine.

    Attributes:
        package: on PyPI.
        form: of the network that it takes, see `bench.peers.networks`.
        start: network, threads, batch (1, 3, H, W) float32 -> what to time.
    """

    package: str
    form: Form
    start: Callable[[Path, int, NDArray[np.float32]], Run]


def _onnxruntime(network: Path, threads: int, batch: NDArray[np.float32]) -> Run:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        str(network), settings, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: batch})[0]


def _pytorch(network: Path, threads: int, batch: NDArray[np.float32]) -> Run:
    import torch

    from train.models.checkpoint import load_network

    torch.set_num_threads(threads)
    _, loaded = load_network(network)
    # Channels last is what PyTorch's own tuning guide advises for convolutions on CPUs.
    model = loaded.eval().to(memory_format=torch.channels_last)
    image = torch.from_numpy(batch).to(memory_format=torch.channels_last)

    def run() -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = torch.sigmoid(model(image)).numpy()
            return found

    return run


def _openvino(network: Path, threads: int, batch: NDArray[np.float32]) -> Run:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(str(network), "CPU", settings).create_infer_request()
    return lambda: request.infer({0: batch}, share_inputs=True, share_outputs=True)[0]


def _ncnn(network: Path, threads: int, batch: NDArray[np.float32]) -> Run:
    import ncnn

    loaded = ncnn.Net()
    loaded.opt.num_threads = threads
    loaded.opt.use_fp16_packed = loaded.opt.use_fp16_storage = False
    loaded.opt.use_fp16_arithmetic = loaded.opt.use_bf16_storage = False
    loaded.load_param(str(network))
    loaded.load_model(str(network.with_suffix(".bin")))
    source, (sink, *_) = loaded.input_names()[0], loaded.output_names()
    content = ncnn.Mat(batch[0]).clone()  # the Mat alone would not keep the array alive

    def run() -> NDArray[np.float32]:
        with loaded.create_extractor() as extractor:
            extractor.input(source, content)
            return np.array(extractor.extract(sink)[1])

    return run


def _litert(network: Path, threads: int, batch: NDArray[np.float32]) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(network), num_threads=threads)  # XNNPACK is its default
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    planar = tuple(source["shape"]) == batch.shape
    image = batch if planar else np.ascontiguousarray(batch.transpose(0, 2, 3, 1))

    def run() -> NDArray[np.float32]:
        interpreter.set_tensor(source["index"], image)
        interpreter.invoke()
        found: NDArray[np.float32] = interpreter.get_tensor(sink["index"])
        return found

    return run


def _opencv(network: Path, threads: int, batch: NDArray[np.float32]) -> Run:
    import cv2

    cv2.setNumThreads(threads)
    loaded = cv2.dnn.readNetFromONNX(str(network))

    def run() -> NDArray[np.float32]:
        loaded.setInput(batch)
        return np.asarray(loaded.forward(), np.float32)

    return run


PEERS = {
    "onnxruntime": Peer("onnxruntime", "onnx", _onnxruntime),
    "pytorch": Peer("torch", "checkpoint", _pytorch),
    "openvino": Peer("openvino", "onnx", _openvino),
    "ncnn": Peer("ncnn", "ncnn", _ncnn),
    "litert": Peer("ai-edge-litert", "tflite", _litert),
    "opencv": Peer("opencv-python-headless", "onnx", _opencv),
}

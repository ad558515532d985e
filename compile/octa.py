"""A network for OCTA volumes becomes an artifact: export, parity on the golden volume, self-test.

There is no native code for volumes: `rules/` and `schedules/` are of two dimensions.
"""

import argparse
import copy
import io
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from compile import rewrite
from compile.explain import explain_passes
from compile.export import PATCH, volume_to_onnx
from compile.octa_source import evaluated_of, form_of, split_sha256
from compile.parity import MAX_DIFFERENCE
from compile.size import Size
from edge_vessel.engines.onnx import MODEL_FILE
from edge_vessel.errors import ArtifactError, UsageError
from edge_vessel.manifest import EngineVersion, Metric, Model, OctaManifest, Target
from edge_vessel.octa.description import OctaInput
from edge_vessel.octa.sliding import Network, slide
from edge_vessel.octa.stacks import ArrayStack
from edge_vessel.octa.volume import NAMES, Volume, open_volume
from edge_vessel.selftest import GOLDEN
from train.models import OCTA_MODELS
from train.models.checkpoint import load_checkpoint
from train.models.cost import multiply_adds, parameters

_MEMORY_MB = 1500


def is_octa(path: Path) -> bool:
    """Whether a checkpoint holds a network for volumes.

    Raises:
        UsageError: it is no checkpoint.
    """
    return path.suffix != ".onnx" and load_checkpoint(path).name in OCTA_MODELS


def build(options: argparse.Namespace) -> tuple[OctaManifest, dict[str, bytes]]:
    """The manifest and the files of an artifact.

    Raises:
        UsageError: an option is for photographs, the network sees more than patches of volumes, or
            the golden volume does not fit it.
        ArtifactError: ONNX Runtime's map differs from torch's by more than rounding.
    """
    _refuse(options)
    checkpoint = load_checkpoint(options.checkpoint)
    form = form_of(options, checkpoint)
    evaluated = evaluated_of(options, int(checkpoint.options.get("classes", 1)))
    volume = open_volume(str(options.golden), NAMES, form.depth)
    _, height, width = volume.shape
    if height < form.height or width < form.width:
        raise UsageError(
            f"{options.golden}: its plane is {height}x{width}, smaller than a patch of "
            f"{form.height}x{form.width}: give a larger one"
        )
    size = Size(form.height, form.width)
    content, saved = rewrite.apply(volume_to_onnx(checkpoint.network, size))
    if options.explain:
        sys.stdout.write(explain_passes(saved))
    network = _onnx_network(content)
    classes = len(evaluated.output.classes)
    found = parity(volume, form, checkpoint.network, network, classes)
    manifest = OctaManifest(
        name=options.name or options.output.name,
        version=options.version,
        model=Model(
            checkpoint.name,
            parameters(checkpoint.network),
            multiply_adds(checkpoint.network, *size),
            evaluated.training_data,
            split_sha256(checkpoint.run.get("training_eyes")),
        ),
        input=form,
        output=evaluated.output,
        target=Target("any", "any", (), options.threads or 2, _MEMORY_MB),
        engine=EngineVersion("onnx", onnxruntime.__version__),
        tuning_log_sha256=None,
        metrics=evaluated.metrics + found,
        licence=options.licence,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    return manifest, {
        MODEL_FILE: content,
        GOLDEN: _golden(volume, form, network, classes),
    }


def _refuse(options: argparse.Namespace) -> None:
    if options.engine != "onnx" or options.target is not None:
        raise UsageError("no native code for volumes: leave --target and --engine tvm out")
    if options.precision != "fp32":
        raise UsageError(f"--precision {options.precision} is not for volumes: leave it out")
    if options.data is not None:
        raise UsageError("--data is for photographs: a network of OCTA is checked on its --golden")


def parity(
    volume: Volume, form: OctaInput, network: nn.Module, exported: Network, classes: int
) -> tuple[Metric, ...]:
    """What ONNX Runtime's map differs from torch's, by the largest of its probabilities.

    A deep network with attention in every block can lose more than `MAX_DIFFERENCE` to the rounding
    of float32 alone. Where it does, two computations may each be as far from the exact map as
    torch's own float32 is, hence twice that apart.

    Raises:
        ArtifactError: they differ by more than either.
    """
    data = "golden volume"
    torch_map, found = (
        _probabilities(volume, form, one, classes) for one in (torch_network(network), exported)
    )
    apart = float(np.abs(torch_map - found).max())
    metrics = (Metric("onnx", data, "largest difference from torch", apart),)
    if apart < MAX_DIFFERENCE:
        return metrics
    exact = _probabilities(volume, form, torch_network(network, torch.float64), classes)
    rounding = float(np.abs(torch_map - exact).max())
    if not apart <= 2 * rounding:
        raise ArtifactError(
            f"stage onnx is {apart:.1e} off, the rounding of float32 is {rounding:.1e}: nothing is "
            "written"
        )
    sys.stderr.write(
        f"onnx is {apart:.1e} from torch, whose float32 is {rounding:.1e} from its float64\n"
    )
    return (*metrics, Metric("torch", data, "largest difference from float64", rounding))


def torch_network(network: nn.Module, dtype: torch.dtype = torch.float32) -> Network:
    typed = copy.deepcopy(network).to(dtype)

    def run(patch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits = typed(torch.from_numpy(patch)[None].to(dtype))[0]
        return np.asarray(logits.numpy(), np.float32)

    return run


def _onnx_network(content: bytes) -> Network:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(patch: NDArray[np.float32]) -> NDArray[np.float32]:
        (logits,) = session.run(None, {PATCH: patch[None]})
        found: NDArray[np.float32] = logits[0]
        return found

    return run


def _probabilities(
    volume: Volume, form: OctaInput, network: Network, classes: int
) -> NDArray[np.float32]:
    logits = torch.from_numpy(slide(volume, form, network, classes).logits)
    found: NDArray[np.float32] = torch.sigmoid(logits).numpy()
    return found


def _golden(volume: Volume, form: OctaInput, network: Network, classes: int) -> bytes:
    """`patch` (channels, depth, H, W) uint8 from the middle of the volume, and `probability`
    (classes, H, W) float16."""
    _, height, width = volume.shape
    top, left = (height - form.height) // 2, (width - form.width) // 2
    band = volume.band(top, top + form.height, form.depth)
    patch = np.rint(band[..., left : left + form.width]).astype(np.uint8)
    middle = Volume(GOLDEN, GOLDEN, tuple(ArrayStack(channel, GOLDEN) for channel in patch))
    probability = _probabilities(middle, form, network, classes).astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, patch=patch, probability=probability)
    return buffer.getvalue()

"""What is checked and said between the stages of a build."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compile import emulation
from compile.estimate import meter
from compile.estimate.emulated import Estimate
from compile.explain import explain_native
from compile.golden import input_size, onnx_predictor
from compile.native import Native
from compile.parity import Parity, at_size, compare, compare_artifact
from compile.quantize import MAX_DICE_LOSS, calibration_photographs, quantize
from compile.schedules.core import Core
from compile.source import Source
from compile.targets import CompileTarget
from compile.timing import Timed
from edge_vessel import artifact as artifacts
from edge_vessel.errors import ArtifactError, DeviceError, UsageError
from edge_vessel.manifest import FundusManifest, Metric
from edge_vessel.selftest import COARSE_TOLERANCE, GOLDEN, load_golden
from edge_vessel.target import check_target, this_machine
from train import data as registry
from train.data.root import data_root
from train.predict import Predictor, predictions


@dataclass(frozen=True)
class Photographs:
    """The data set that the source was evaluated on, below the user's folder."""

    source: Source
    folder: str
    threshold: float

    def parity(self, content: bytes, stage: Predictor | None = None) -> Parity:
        """Of ONNX against the source, on the test photographs.

        Args:
            stage: another computation of the same network, compared in its place.
        """
        root, dataset = data_root(self.folder), registry.find(self.source.dataset)
        size = input_size(content)
        before, after = (
            predictions(at_size(predict, size), dataset, root, "test")
            for predict in (self.source.predict, stage or onnx_predictor(content))
        )
        return compare(before, after, self.threshold)

    def metrics(self, stage: str, found: Parity) -> tuple[Metric, ...]:
        """For the manifest."""
        data, largest = f"{self.source.dataset} test, full frame", found.max_abs_difference
        return (
            Metric(stage, data, "dice pooled", round(found.dice_after, 4)),
            Metric(stage, data, f"largest difference from {self.source.stage}", largest),
        )


def check_rewritten(photographs: Photographs, content: bytes) -> tuple[Metric, ...]:
    """Raises ArtifactError where the rewritten network computes something else."""
    return photographs.metrics("onnx", _held("onnx", photographs.parity(content)))


def check_native(
    photographs: Photographs, checkpoint: Path, manifest: FundusManifest, files: dict[str, bytes]
) -> tuple[Metric, ...]:
    """The same of the compiled network, where this machine can run it."""
    if not runs_here(manifest):
        sys.stderr.write(
            "parity of the native code: not measured, this machine cannot run it; on the board: "
            "python -m edge_vessel.artifact verify FOLDER\n"
        )
        return ()
    source = photographs.source
    with tempfile.TemporaryDirectory() as folder:
        trial, reference = Path(folder) / "trial", checkpoint
        artifacts.write(trial, manifest, files, None)
        if source.stage != "torch":
            reference = Path(folder) / "imported.onnx"
            reference.write_bytes(source.content)
        found = compare_artifact(reference, trial, source.dataset, photographs.folder)
    return photographs.metrics("tvm", _held("tvm", found))


def to_int8(photographs: Photographs, content: bytes) -> tuple[bytes, tuple[Metric, ...]]:
    """The quantised network and its Dice.

    Raises:
        ArtifactError: it loses more than MAX_DICE_LOSS.
    """
    root, dataset = data_root(photographs.folder), registry.find(photographs.source.dataset)
    quantised = quantize(content, calibration_photographs(dataset, root, content))
    found = _within_loss("int8", dataset.name, photographs.parity(quantised))
    return quantised, photographs.metrics("int8", found)


def check_precision(
    photographs: Photographs, content: bytes, core: Core, precision: str
) -> tuple[Metric, ...]:
    """Dice of the native code's arithmetic, emulated on the workstation.

    Raises:
        ArtifactError: it loses more than MAX_DICE_LOSS.
    """
    name = photographs.source.dataset
    found = photographs.parity(content, emulation.predictor(content, core, precision))
    return photographs.metrics(f"tvm {precision}, emulated", _within_loss(precision, name, found))


def report_speed(
    native: Native, manifest: FundusManifest, target: CompileTarget, content: bytes, explain: bool
) -> None:
    """Says where no schedule of our own covers the network and what that costs, and explains."""
    timed = None
    if native.executable is not None and runs_here(manifest) and (explain or native.uncovered):
        size = manifest.input
        timed = Timed(native.executable, size.height, size.width, native.core.threads)
    if native.uncovered:
        sys.stderr.write(
            f"no hand-written schedule covers this network ({native.uncovered}); general rules "
            "schedule its operators\n"
        )
        if timed is None:
            sys.stderr.write("its speed is not measured: this machine cannot run it\n")
        else:
            found = timed.against_onnxruntime(content)
            sys.stderr.write(
                f"measured here, threads {found.threads}: {found.ours_ms:.1f} ms, ONNX Runtime "
                f"{found.onnxruntime_ms:.1f} ms ({found.ratio:.2f} times)"
                f"{'; --engine onnx is faster' if found.ratio > 1 else ''}\n"
            )
    if explain and timed is not None:
        sys.stdout.write(explain_native(native, timed.by_operator(), {}))
    elif explain:
        sys.stdout.write(explain_native(native, {}, _estimates(native, target)))


def _estimates(native: Native, target: CompileTarget) -> dict[str, Estimate]:
    """Of each function on a board's core; none, and a line why, where nothing can estimate it."""
    try:
        return meter.explain(native.functions, target)
    except (UsageError, DeviceError) as error:
        sys.stderr.write(f"no times: {error}\n")
        return {}


def runs_here(manifest: FundusManifest) -> bool:
    """Whether this machine can run what is being built."""
    try:
        check_target(manifest.target, this_machine(), Path())
    except ArtifactError:
        return False
    return True


def check_golden(content: bytes, golden: bytes, core: Core, precision: str) -> None:
    """The device's self-test, emulated on the workstation, where no data set checks the Dice.

    Raises:
        ArtifactError: it would fail, as where float16 overflows.
    """
    size = input_size(content)
    expected = load_golden(golden, size.height, size.width, Path(GOLDEN))
    found = emulation.predictor(content, core, precision)(expected.image)
    apart = float(np.abs(found - expected.probability.astype(np.float32)).mean())
    if not apart <= COARSE_TOLERANCE:
        raise ArtifactError(
            f"{precision} is {apart:.4f} off in the mean on the golden photograph "
            f"({COARSE_TOLERANCE} allowed): nothing is written; use --precision fp32"
        )


def _within_loss(precision: str, dataset: str, found: Parity) -> Parity:
    loss = found.dice_before - found.dice_after
    if not loss <= MAX_DICE_LOSS:  # which a NaN fails too
        raise ArtifactError(
            f"{precision} loses {loss:.4f} Dice on {dataset} ({MAX_DICE_LOSS} allowed): nothing is "
            "written; use --precision fp32"
        )
    return found


def _held(stage: str, found: Parity) -> Parity:
    if not found.holds:
        raise ArtifactError(
            f"stage {stage} is {found.max_abs_difference:.1e} off: nothing is written"
        )
    return found
